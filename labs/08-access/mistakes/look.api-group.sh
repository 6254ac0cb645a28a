# on: server
# user: student
# task: 08.look
# verdict: fail
# diagnosis: api-group
# Deployments are in group apps, not in the one without a name.
kubectl apply -f - <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: look
  namespace: $LAB_NAMESPACE
rules:
  - apiGroups: [""]
    resources: [pods, pods/log, deployments]
    verbs: [get, list, watch]
YAML
