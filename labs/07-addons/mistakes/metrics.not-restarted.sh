# on: server
# user: student
# task: 07.metrics
# verdict: fail
# diagnosis: not-restarted
# Written down, and K3s has not read it.
sudo sed -i '/- metrics-server/d' /etc/rancher/k3s/config.yaml
sudo systemctl restart k3s
kubectl wait --for=create deployment/metrics-server --timeout=60s --namespace=kube-system
sudo sed -i '/^disable:/a - metrics-server' /etc/rancher/k3s/config.yaml
