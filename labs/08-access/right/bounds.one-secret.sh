# on: server
# user: student
# A role of its own for the till: this one Secret, and nobody else.
kubectl delete rolebinding/till role/till --namespace="$LAB_NAMESPACE"
kubectl create role till --resource=secrets --resource-name=till --verb=get --namespace="$LAB_NAMESPACE"
kubectl create rolebinding till --role=till --serviceaccount="$LAB_NAMESPACE:till" --namespace="$LAB_NAMESPACE"
