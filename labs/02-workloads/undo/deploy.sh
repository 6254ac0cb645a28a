# on: server
# user: student
kubectl delete deployment/web --namespace="$LAB_NAMESPACE"
