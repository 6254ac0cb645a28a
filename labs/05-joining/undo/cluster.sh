# on: server
# user: student
# A node that is no machine.
kubectl apply --filename=- <<YAML
apiVersion: v1
kind: Node
metadata:
  name: edge0
YAML
