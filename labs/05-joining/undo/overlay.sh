# on: server
# user: student
kubectl delete pod/visitor --ignore-not-found --now --namespace="$LAB_NAMESPACE"
