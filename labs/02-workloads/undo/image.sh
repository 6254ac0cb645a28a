# on: server
# user: student
kubectl set image deployment/web web=course/web:1 --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
