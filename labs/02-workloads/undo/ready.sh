# on: server
# user: student
kubectl patch deployment/web --type=json --namespace="$LAB_NAMESPACE" \
    --patch='[{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}]'
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
