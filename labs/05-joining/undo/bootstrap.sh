# on: edge2
# user: root
for unit in k3s k3s-agent; do [ ! -x /usr/local/bin/$unit-uninstall.sh ] || /usr/local/bin/$unit-uninstall.sh; done
# on: server
# user: student
kubectl delete node edge2 --ignore-not-found
kubectl delete secret edge2.node-password.k3s --ignore-not-found --namespace=kube-system
