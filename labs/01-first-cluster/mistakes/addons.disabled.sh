# on: server
# user: student
# task: 01.addons
# verdict: fail
# diagnosis: disabled
# Told to leave one away.
echo 'disable: [local-storage]' | sudo tee -a /etc/rancher/k3s/config.yaml
sudo systemctl restart k3s
sudo k3s kubectl wait deployment/local-path-provisioner --for=delete --namespace=kube-system --timeout=60s
