# on: server
# user: student
# task: 06.sensor
# verdict: fail
# diagnosis: preferred-only
# A preference: where there is no room, the pods go elsewhere.
kubectl patch deployment/sensor --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      nodeSelector: null
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              preference:
                matchExpressions:
                  - {key: site, operator: In, values: [$LAB_SITE_A]}
YAML
kubectl rollout status deployment/sensor --namespace="$LAB_NAMESPACE" --timeout=60s
