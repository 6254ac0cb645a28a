# on: server
# user: student
# task: 02.requests
# verdict: fail
# diagnosis: limits-only
# Limits were set, and generous ones: without requests they count as requests.
kubectl patch deployment/web --type=json --namespace="$LAB_NAMESPACE" --patch='[{"op": "replace", "path": "/spec/template/spec/containers/0/resources", "value": {"limits": {"cpu": "250m", "memory": "64Mi"}}}]'
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
