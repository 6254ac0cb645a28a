# on: server
# user: student
kubectl delete ingress/cart service/cart --ignore-not-found --namespace="$LAB_NAMESPACE"
