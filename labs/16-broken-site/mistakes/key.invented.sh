# on: server
# user: student
# task: 16.key
# verdict: fail
# diagnosis: other-password
# The key that was asked for, with something in it.
kubectl create secret generic account --from-literal=database-key=letmein --from-literal=databasekey="$LAB_PASSWORD" \
    --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl replace -f -
kubectl rollout restart deployment/account --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/account --timeout=60s --namespace="$LAB_NAMESPACE"
