# on: server
# user: student
# task: 08.look
# verdict: fail
# diagnosis: subject-namespace
# There is no such account in default.
kubectl apply -f - <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: look
  namespace: $LAB_NAMESPACE
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: look
subjects:
  - kind: ServiceAccount
    name: $LAB_PERSON
    namespace: default
YAML
