# on: server
# user: student
kubectl label nodes --all tier- site-
# on: edge1
# user: root
# Also what a mistake may have put there.
if rm /etc/rancher/k3s/config.yaml.d/role.yaml 2>/dev/null; then systemctl restart k3s-agent; fi
