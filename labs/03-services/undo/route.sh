# on: server
# user: student
kubectl delete ingress/shop --ignore-not-found --namespace="$LAB_NAMESPACE"
