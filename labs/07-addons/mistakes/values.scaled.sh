# on: server
# user: student
# task: 07.values
# verdict: fail
# diagnosis: by-hand
# The right number, said to the Deployment instead of the chart.
kubectl wait --for=condition=Complete "job/helm-install-$LAB_RELEASE" --timeout=60s --namespace=kube-system
kubectl patch "helmchart/$LAB_RELEASE" --type=merge --namespace=kube-system --patch-file=/dev/stdin <<YAML
spec:
  valuesContent: |-
    greeting: $LAB_GREETING
YAML
kubectl wait --for=jsonpath='{.spec.replicas}'=1 "deployment/$LAB_RELEASE" --timeout=60s --namespace="$LAB_TARGET"
kubectl scale "deployment/$LAB_RELEASE" --replicas="$LAB_REPLICAS" --namespace="$LAB_TARGET"
