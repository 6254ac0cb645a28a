# on: server
# user: student
# Also what a mistake may have put there.
kubectl patch deployment/api --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      nodeSelector: null
      tolerations: null
      affinity: null
YAML
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
