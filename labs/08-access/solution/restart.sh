# on: server
# user: student
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
    verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: restart
  namespace: $LAB_NAMESPACE
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: restart
subjects:
  - kind: ServiceAccount
    name: $LAB_PERSON
    namespace: $LAB_NAMESPACE
YAML
