# on: server
# user: student
sudo sed -i '/- metrics-server/d' /etc/rancher/k3s/config.yaml
sudo rm -f /etc/rancher/k3s/config.yaml.d/*metrics*.yaml /etc/systemd/system/k3s.service.d/no-metrics.conf
sudo systemctl daemon-reload
sudo systemctl restart k3s
