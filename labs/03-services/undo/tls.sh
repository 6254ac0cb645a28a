# on: server
# user: student
kubectl patch ingress/shop --namespace="$LAB_NAMESPACE" --patch='{"spec": {"tls": null}}'
kubectl delete secret/shop-tls secret/shop-files --ignore-not-found --namespace="$LAB_NAMESPACE"
