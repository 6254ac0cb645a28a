# on: server
# user: student
kubectl patch rolebinding/till --namespace="$LAB_NAMESPACE" --type=merge --patch-file=/dev/stdin <<YAML
subjects:
  - kind: ServiceAccount
    name: till
    namespace: $LAB_NAMESPACE
YAML
