# on: edge1
# user: root
# task: 05.secure
# verdict: fail
# diagnosis: not-restarted
# K3s was started with a short token, and has not been started again since the full one stands there.
cp -p /etc/systemd/system/k3s-agent.service.env /root/full.env
sed -i 's/K10[0-9a-f]*::[a-z]*://' /etc/systemd/system/k3s-agent.service.env
systemctl restart k3s-agent
mv /root/full.env /etc/systemd/system/k3s-agent.service.env
