# on: server
# user: student
# task: 08.restart
# verdict: fail
# diagnosis: every-deployment
# Without resourceNames it is for all of them.
kubectl apply -f - <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: restart
  namespace: $LAB_NAMESPACE
rules:
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [get, patch]
YAML
