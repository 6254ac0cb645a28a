# on: server
# user: student
kubectl create serviceaccount "$LAB_PERSON" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
