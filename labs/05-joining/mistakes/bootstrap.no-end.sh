# on: edge2
# user: root
# task: 05.bootstrap
# verdict: fail
# diagnosis: no-end
# A token that never ends.
for unit in k3s k3s-agent; do [ ! -x /usr/local/bin/$unit-uninstall.sh ] || /usr/local/bin/$unit-uninstall.sh; done
# on: server
# user: student
kubectl delete node edge2 --ignore-not-found
umask 077
kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}' > ~/work/.address
sudo k3s token create --ttl 0 > ~/work/.token
# on: edge2
# user: student
K3S_URL="https://$(cat ~/work/.address):6443" K3S_TOKEN="$(cat ~/work/.token)" install-k3s.sh
