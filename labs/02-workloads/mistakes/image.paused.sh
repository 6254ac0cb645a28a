# on: server
# user: student
# task: 02.image
# verdict: fail
# diagnosis: paused
# The rollout was paused to make several changes, and never resumed.
kubectl set image deployment/web web=course/web:1 --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
kubectl rollout pause deployment/web --namespace="$LAB_NAMESPACE"
kubectl set image deployment/web web=course/web:2 --namespace="$LAB_NAMESPACE"
