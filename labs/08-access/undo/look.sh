# on: server
# user: student
kubectl delete rolebinding/look role/look --ignore-not-found --namespace="$LAB_NAMESPACE"
