# on: server
# user: student
sudo mkdir -p /etc/rancher/k3s
sudo touch /etc/rancher/k3s/config.yaml
sudo sed -i '/^tls-san:/d' /etc/rancher/k3s/config.yaml
echo "tls-san: [$LAB_NAME]" | sudo tee -a /etc/rancher/k3s/config.yaml
sudo systemctl restart k3s
until sudo k3s kubectl wait node/server --for=condition=Ready --timeout=60s 2>/dev/null; do sleep 0.2; done
