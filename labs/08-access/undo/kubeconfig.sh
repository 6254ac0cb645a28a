# on: server
# user: student
rm -f ~/work/"$LAB_PERSON".kubeconfig ~/work/ca.crt
kubectl delete secret/forever --ignore-not-found --namespace="$LAB_NAMESPACE"
