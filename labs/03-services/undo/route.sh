# on: server
# user: student
kubectl delete ingress/shop --namespace="$LAB_NAMESPACE"
