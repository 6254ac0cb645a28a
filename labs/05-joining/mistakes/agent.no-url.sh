# on: edge1
# user: root
# task: 05.agent
# verdict: fail
# diagnosis: own-cluster
# Without K3S_URL the installer makes a server, and a cluster of its own.
for unit in k3s k3s-agent; do [ ! -x /usr/local/bin/$unit-uninstall.sh ] || /usr/local/bin/$unit-uninstall.sh; done
# on: server
# user: student
kubectl delete node edge1 --ignore-not-found
umask 077
kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}' > ~/work/.address
: no token is needed
# on: edge1
# user: student
install-k3s.sh
