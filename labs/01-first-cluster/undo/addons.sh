# on: server
# user: student
echo 'disable: [coredns]' | sudo tee -a /etc/rancher/k3s/config.yaml
sudo systemctl restart k3s
sudo k3s kubectl wait deployment/coredns --for=delete --namespace=kube-system --timeout=60s
