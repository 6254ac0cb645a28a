# on: server
# user: student
kubectl delete service/shop-public --ignore-not-found --namespace="$LAB_NAMESPACE"
