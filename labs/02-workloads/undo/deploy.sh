# on: server
# user: student
kubectl delete deployment/web --ignore-not-found --namespace="$LAB_NAMESPACE"
