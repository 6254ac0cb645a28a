# on: server
# user: student
kubectl delete daemonset/collector --ignore-not-found --namespace="$LAB_NAMESPACE"
