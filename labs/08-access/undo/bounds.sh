# on: server
# user: student
# The till's binding as it was, and what mistakes may have added.
kubectl apply -f - <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: till
  namespace: $LAB_NAMESPACE
rules:
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get, list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: till
  namespace: $LAB_NAMESPACE
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: till
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: Group
    name: system:serviceaccounts:$LAB_NAMESPACE
YAML
kubectl delete clusterrolebinding/look --ignore-not-found
kubectl delete rolebinding/more role/more --ignore-not-found --namespace="$LAB_NAMESPACE"
