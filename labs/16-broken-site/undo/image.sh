# on: server
# user: root
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl set image deployment/shop web=course/wed:1 --namespace="$LAB_NAMESPACE"
# Until the pods of before are gone.
kubectl delete pods --selector=app=shop --namespace="$LAB_NAMESPACE"
