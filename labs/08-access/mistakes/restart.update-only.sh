# on: server
# user: student
# task: 08.restart
# verdict: fail
# diagnosis: verb-missing
# kubectl sends a patch, not an update.
kubectl apply -f - <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: restart
  namespace: $LAB_NAMESPACE
rules:
  - apiGroups: [apps]
    resources: [deployments]
    resourceNames: [shop]
    verbs: [get, update]
YAML
