# on: server
# user: student
kubectl patch deployment/api --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      tolerations:
        - key: device
          operator: Exists
        - key: node.kubernetes.io/unreachable
          operator: Exists
          effect: NoExecute
          tolerationSeconds: $LAB_PATIENCE
        - key: node.kubernetes.io/not-ready
          operator: Exists
          effect: NoExecute
          tolerationSeconds: $LAB_PATIENCE
YAML
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
