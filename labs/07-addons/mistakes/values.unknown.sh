# on: server
# user: student
# task: 07.values
# verdict: fail
# diagnosis: value-unknown
# Other charts call it so.
kubectl wait --for=condition=Complete "job/helm-install-$LAB_RELEASE" --timeout=60s --namespace=kube-system
kubectl patch "helmchart/$LAB_RELEASE" --type=merge --namespace=kube-system --patch-file=/dev/stdin <<YAML
spec:
  valuesContent: |-
    replicaCount: $LAB_REPLICAS
    greeting: $LAB_GREETING
YAML
