# on: server
# user: student
# task: 07.addon
# verdict: fail
# diagnosis: invalid-name
# No object may have this name.
sudo rm "/var/lib/rancher/k3s/server/manifests/$LAB_ADDON.yaml"
kubectl delete addon/"$LAB_ADDON" --namespace=kube-system
kubectl delete deployment/board --namespace="$LAB_NAMESPACE"
sed "s/___/$LAB_NAMESPACE/" ~/work/board.yaml | sudo tee /var/lib/rancher/k3s/server/manifests/notice_board.yaml > /dev/null
