# on: server
# user: student
# Also where a mistake may have put it.
kubectl delete "serviceaccount/$LAB_PERSON" --ignore-not-found --namespace="$LAB_NAMESPACE"
kubectl delete "serviceaccount/$LAB_PERSON" --ignore-not-found --namespace=default
