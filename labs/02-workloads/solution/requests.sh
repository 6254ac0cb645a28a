# on: server
# user: student
kubectl set resources deployment/web --requests="cpu=${LAB_CPU}m,memory=${LAB_MEMORY}Mi" --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
