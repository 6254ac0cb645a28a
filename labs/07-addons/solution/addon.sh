# on: server
# user: student
sed "s/___/$LAB_NAMESPACE/" ~/work/board.yaml | sudo tee "/var/lib/rancher/k3s/server/manifests/$LAB_ADDON.yaml" > /dev/null
kubectl wait --for=create deployment/board --timeout=60s --namespace="$LAB_NAMESPACE"
