# on: server
# user: student
# A file of its own that adds to the list.
sudo mkdir -p /etc/rancher/k3s/config.yaml.d
echo 'disable+: [metrics-server]' | sudo tee /etc/rancher/k3s/config.yaml.d/no-metrics.yaml > /dev/null
sudo systemctl restart k3s
