# on: server
# user: student
# task: 06.failover
# verdict: fail
# diagnosis: for-ever
# Tolerated without an end: the pods never leave.
kubectl patch deployment/api --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      tolerations:
        - operator: Exists
YAML
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
