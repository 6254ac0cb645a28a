# on: server
# user: student
# A folder of its own below server/manifests, another suffix, a second object, what is said after the first dot.
sudo mkdir -p /var/lib/rancher/k3s/server/manifests/extra
{
    sed "s/___/$LAB_NAMESPACE/" ~/work/board.yaml
    kubectl create configmap board-settings --from-literal=colour=green --dry-run=client --output=yaml --namespace="$LAB_NAMESPACE" | sed '1i ---'
} | sudo tee "/var/lib/rancher/k3s/server/manifests/extra/$LAB_ADDON.v2.yml" > /dev/null
kubectl wait --for=create deployment/board --timeout=60s --namespace="$LAB_NAMESPACE"
