# on: server
# user: student
kubectl set image deployment/shop web=course/web:1 --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --timeout=60s --namespace="$LAB_NAMESPACE"
