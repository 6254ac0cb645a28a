# on: server
# user: student
kubectl patch quota/budget --patch='{"spec": {"hard": {"requests.memory": "64Mi"}}}' --namespace="$LAB_BACK"
# The ReplicaSet tries again by itself, less and less often; a new one tries at once.
kubectl delete replicasets --selector=app=orders --namespace="$LAB_BACK"
kubectl rollout status deployment/orders --timeout=60s --namespace="$LAB_BACK"
