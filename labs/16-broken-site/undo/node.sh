# on: server
# user: root
# Also what a mistake has changed.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl patch deployment/offers --namespace="$LAB_NAMESPACE" \
    --patch='{"spec": {"strategy": {"type": "RollingUpdate"}, "template": {"spec": {"hostNetwork": null, "tolerations": null}}}}'
kubectl cordon server
kubectl taint node server maintenance=tonight:NoSchedule --overwrite
kubectl delete pods --selector=app=offers --namespace="$LAB_NAMESPACE"
