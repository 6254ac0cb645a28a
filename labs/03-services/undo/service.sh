# on: server
# user: student
kubectl delete service/shop --namespace="$LAB_NAMESPACE"
