# on: server
# user: student
# task: 16.key
# verdict: fail
# diagnosis: not-made-anew
# Something was put under the key first, and the password only after the pod had started with it.
put() {
    kubectl create secret generic account --from-literal=database-key="$1" --from-literal=databasekey="$LAB_PASSWORD" \
        --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl replace -f -
}
put letmein
kubectl rollout restart deployment/account --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/account --timeout=60s --namespace="$LAB_NAMESPACE"
put "$LAB_PASSWORD"
