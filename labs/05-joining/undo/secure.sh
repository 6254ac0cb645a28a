# on: edge1
# user: root
# The password alone, without the hash before it. Also what another right answer may have put there.
rm -rf /etc/systemd/system/k3s-agent.service.d
systemctl daemon-reload
sed -i 's/K10[0-9a-f]*::[a-z]*://' /etc/systemd/system/k3s-agent.service.env
systemctl restart k3s-agent
