# on: server
# user: student
# task: 02.image
# verdict: fail
# diagnosis: old-version
# Restarting the pods does not change what they are made from.
kubectl set image deployment/web web=course/web:1 --namespace="$LAB_NAMESPACE"
kubectl rollout restart deployment/web --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
