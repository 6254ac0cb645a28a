# on: server
# user: student
# task: 08.look
# verdict: fail
# diagnosis: subject-kind
# A user of this name is somebody else.
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
  - apiGroup: rbac.authorization.k8s.io
    kind: User
    name: $LAB_PERSON
YAML
