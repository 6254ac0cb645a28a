# on: server
# user: student
kubectl delete service/shop --ignore-not-found --namespace="$LAB_NAMESPACE"
