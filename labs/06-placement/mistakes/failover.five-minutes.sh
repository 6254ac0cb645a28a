# on: server
# user: student
# task: 06.failover
# verdict: fail
# diagnosis: five-minutes
# What a pod gets that says nothing: 300 seconds.
kubectl patch deployment/api --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      tolerations:
        - key: device
          operator: Exists
YAML
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
