# on: server
# user: student
kubectl patch ingress/shop --type=json --patch='[{"op": "remove", "path": "/spec/tls"}]' --namespace="$LAB_NAMESPACE"
kubectl delete secret/shop-tls --namespace="$LAB_NAMESPACE"
