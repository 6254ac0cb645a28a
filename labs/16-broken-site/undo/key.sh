# on: server
# user: root
# Also what a mistake or another right answer has changed.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl create secret generic account --from-literal=databasekey="$LAB_PASSWORD" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml |
    kubectl replace -f -
kubectl patch deployment/account --type=json --namespace="$LAB_NAMESPACE" --patch='[{"op": "replace", "path": "/spec/template/spec/containers/0/env/2",
    "value": {"name": "DATABASE_KEY", "valueFrom": {"secretKeyRef": {"name": "account", "key": "database-key"}}}}]'
kubectl delete pods --selector=app=account --namespace="$LAB_NAMESPACE"
