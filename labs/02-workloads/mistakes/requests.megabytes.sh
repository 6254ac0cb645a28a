# on: server
# user: student
# task: 02.requests
# verdict: fail
# diagnosis: memory-unit
# M is 1000 x 1000, Mi is 1024 x 1024.
kubectl set resources deployment/web --requests="cpu=${LAB_CPU}m,memory=${LAB_MEMORY}M" --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
