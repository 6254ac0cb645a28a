# on: server
# user: student
kubectl delete ingress/cart service/cart --namespace="$LAB_NAMESPACE"
