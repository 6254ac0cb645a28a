# on: server
# user: student
kubectl patch deployment/api --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      nodeSelector:
        tier: edge
      tolerations:
        - key: device
          operator: Exists
YAML
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
