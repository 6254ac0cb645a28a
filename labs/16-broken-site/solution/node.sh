# on: server
# user: student
kubectl uncordon server
kubectl taint node server maintenance-
kubectl rollout status deployment/offers --timeout=60s --namespace="$LAB_NAMESPACE"
