# on: server
# user: student
kubectl delete service/shop-public --namespace="$LAB_NAMESPACE"
