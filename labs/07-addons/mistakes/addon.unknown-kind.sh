# on: server
# user: student
# task: 07.addon
# verdict: fail
# diagnosis: cannot-be-applied
# A kind that nobody knows: the version is missing its group.
kubectl delete deployment/board --namespace="$LAB_NAMESPACE"
kubectl delete events --field-selector="involvedObject.name=$LAB_ADDON,reason=ApplyManifestFailed" --namespace=kube-system
sed "s/___/$LAB_NAMESPACE/; s/^apiVersion: apps.v1/apiVersion: v1/" ~/work/board.yaml |
    sudo tee "/var/lib/rancher/k3s/server/manifests/$LAB_ADDON.yaml" > /dev/null
until kubectl get events --namespace=kube-system --field-selector="involvedObject.name=$LAB_ADDON,reason=ApplyManifestFailed" --output=name | grep --quiet .; do sleep 1; done
