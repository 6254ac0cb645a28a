# on: server
# user: student
sudo mkdir -p /etc/rancher/k3s
sudo touch /etc/rancher/k3s/config.yaml
sudo sed -i '/^node-label:/d' /etc/rancher/k3s/config.yaml
echo "node-label: [course=$LAB_WORD]" | sudo tee -a /etc/rancher/k3s/config.yaml
sudo systemctl restart k3s
until sudo k3s kubectl get nodes --selector="course=$LAB_WORD" --output=name 2>/dev/null | grep -q node/server; do sleep 0.2; done
