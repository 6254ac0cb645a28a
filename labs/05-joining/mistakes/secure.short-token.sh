# on: edge1
# user: root
# task: 05.secure
# verdict: fail
# diagnosis: short-token
# The last part of the token alone.
sed -i 's/K10[0-9a-f]*::[a-z]*://' /etc/systemd/system/k3s-agent.service.env
systemctl restart k3s-agent
