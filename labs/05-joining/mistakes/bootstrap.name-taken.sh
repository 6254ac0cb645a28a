# on: edge2
# user: root
# task: 05.bootstrap
# verdict: fail
# diagnosis: name-taken
# What the server remembers of the old machine was left (k3s-io/k3s#6054).
for unit in k3s k3s-agent; do [ ! -x /usr/local/bin/$unit-uninstall.sh ] || /usr/local/bin/$unit-uninstall.sh; done
# on: server
# user: student
kubectl delete node edge2 --ignore-not-found
kubectl wait secret/edge2.node-password.k3s --for=delete --namespace=kube-system --timeout=30s
umask 077
kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}' > ~/work/.address
sudo k3s token create --ttl "${LAB_HOURS}h" > ~/work/.token
kubectl create secret generic edge2.node-password.k3s --namespace=kube-system --from-literal=hash="\$1:00000000000000ff:15:8:1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
# on: edge2
# user: student
INSTALL_K3S_SKIP_START=true K3S_URL="https://$(cat ~/work/.address):6443" K3S_TOKEN="$(cat ~/work/.token)" install-k3s.sh
sudo systemctl start --no-block k3s-agent
until sudo journalctl --unit=k3s-agent --output=cat | grep -q 'Node password rejected'; do sleep 0.2; done
