# on: edge1
# user: root
for unit in k3s k3s-agent; do [ ! -x /usr/local/bin/$unit-uninstall.sh ] || /usr/local/bin/$unit-uninstall.sh; done
# on: server
# user: student
kubectl delete node edge1 --ignore-not-found
