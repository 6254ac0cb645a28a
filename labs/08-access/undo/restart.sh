# on: server
# user: student
kubectl delete rolebinding/restart role/restart --ignore-not-found --namespace="$LAB_NAMESPACE"
