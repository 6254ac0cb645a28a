# on: server
# user: student
# task: 02.ready
# verdict: fail
# diagnosis: liveness-instead
# A liveness probe restarts a container; it keeps no request away from it.
kubectl patch deployment/web --type=json --namespace="$LAB_NAMESPACE" \
    --patch='[{"op": "move", "from": "/spec/template/spec/containers/0/readinessProbe", "path": "/spec/template/spec/containers/0/livenessProbe"}]'
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
