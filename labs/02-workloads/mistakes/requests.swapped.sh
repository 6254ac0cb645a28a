# on: server
# user: student
# task: 02.requests
# verdict: fail
# diagnosis: swapped
# The right numbers in each other's place.
kubectl set resources deployment/web --requests="cpu=${LAB_MEMORY}m,memory=${LAB_CPU}Mi" --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
