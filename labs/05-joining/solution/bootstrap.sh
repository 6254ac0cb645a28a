# on: server
# user: student
kubectl delete node edge2 --ignore-not-found
kubectl wait secret/edge2.node-password.k3s --for=delete --namespace=kube-system --timeout=30s
umask 077
kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}' > ~/work/.address
sudo k3s token create --ttl "${LAB_HOURS}h" --description edge2 > ~/work/.token
# on: edge2
# user: student
K3S_URL="https://$(cat ~/work/.address):6443" K3S_TOKEN="$(cat ~/work/.token)" install-k3s.sh
# on: server
# user: student
until kubectl wait node/edge2 --for=condition=Ready --timeout=60s 2>/dev/null; do sleep 0.2; done
