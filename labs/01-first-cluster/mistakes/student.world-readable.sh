# on: server
# user: student
# task: 01.student
# verdict: fail
# diagnosis: world-readable
# Readable for everybody: convenient, and everybody is administrator (k3s-io/k3s#6325).
echo 'write-kubeconfig-mode: "0644"' | sudo tee -a /etc/rancher/k3s/config.yaml
sudo systemctl restart k3s
until sudo k3s kubectl wait node/server --for=condition=Ready --timeout=60s 2>/dev/null; do sleep 0.2; done
