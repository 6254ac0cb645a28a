# on: server
# user: root
# A file of its own in config.yaml.d, which adds to the list.
mkdir -p /etc/rancher/k3s/config.yaml.d
echo "node-label+: [course=$LAB_WORD]" > /etc/rancher/k3s/config.yaml.d/label.yaml
systemctl restart k3s
until k3s kubectl get nodes --selector="course=$LAB_WORD" --output=name 2>/dev/null | grep -q node/server; do sleep 0.2; done
