# on: server
# user: student
kubectl delete deployment/sensor --ignore-not-found --namespace="$LAB_NAMESPACE"
