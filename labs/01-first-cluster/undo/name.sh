# on: server
# user: student
# K3s adds names to its certificate and never takes one away, so the certificate goes.
sudo sed -i '/^tls-san:/d' /etc/rancher/k3s/config.yaml
sudo k3s kubectl delete secret k3s-serving --namespace=kube-system --ignore-not-found
sudo rm -f /var/lib/rancher/k3s/server/tls/dynamic-cert.json /var/lib/rancher/k3s/server/tls/serving-kube-apiserver.crt
sudo systemctl restart k3s
until sudo k3s kubectl wait node/server --for=condition=Ready --timeout=60s 2>/dev/null; do sleep 0.2; done
