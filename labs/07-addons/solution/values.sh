# on: server
# user: student
kubectl patch "helmchart/$LAB_RELEASE" --type=merge --namespace=kube-system --patch-file=/dev/stdin <<YAML
spec:
  valuesContent: |-
    replicas: $LAB_REPLICAS
    greeting: $LAB_GREETING
YAML
kubectl wait --for=jsonpath='{.status.availableReplicas}'="$LAB_REPLICAS" "deployment/$LAB_RELEASE" --timeout=240s --namespace="$LAB_TARGET"
until kubectl wait --for=condition=Complete "job/helm-install-$LAB_RELEASE" --timeout=60s --namespace=kube-system; do sleep 1; done
