# on: server
# user: student
# Back to what ran before.
kubectl rollout undo deployment/shop --namespace="$LAB_NAMESPACE"
