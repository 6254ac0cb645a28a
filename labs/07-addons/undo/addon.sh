# on: server
# user: student
# Also what a mistake may have put there.
sudo sh -c "cd /var/lib/rancher/k3s/server/manifests; rm -rf '$LAB_ADDON' '$LAB_ADDON'.* board.yaml *_*.yaml extra"
kubectl delete addon --ignore-not-found --namespace=kube-system "$LAB_ADDON" board
kubectl delete deployment/board --ignore-not-found --namespace="$LAB_NAMESPACE"
