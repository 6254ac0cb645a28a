# on: server
# user: student
# Also where a mistake may have put it.
kubectl delete service/shop --ignore-not-found --namespace="$LAB_NAMESPACE"
kubectl delete service/shop --ignore-not-found --namespace=default
