# on: server
# user: student
kubectl scale deployment/web --replicas="$LAB_REPLICAS" --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
