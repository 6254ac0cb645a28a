# on: server
# user: student
# task: 03.tls
# verdict: fail
# diagnosis: secret-namespace
# The Secret stands in another namespace than the Ingress.
kubectl delete secret/shop-tls --ignore-not-found --namespace="$LAB_NAMESPACE"
cd ~/work
kubectl create secret tls shop-tls --cert=tls.crt --key=tls.key --namespace=default --dry-run=client --output=yaml | kubectl apply -f -
