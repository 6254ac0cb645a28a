# on: server
# user: student
sudo sed -i '/^disable:/a - metrics-server' /etc/rancher/k3s/config.yaml
sudo systemctl restart k3s
kubectl wait --for=delete deployment/metrics-server --timeout=60s --namespace=kube-system
