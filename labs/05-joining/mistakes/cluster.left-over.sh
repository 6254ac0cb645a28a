# on: server
# user: student
# task: 05.cluster
# verdict: fail
# diagnosis: left-over
# A node that was never taken from the list.
kubectl apply --filename=- <<YAML
apiVersion: v1
kind: Node
metadata:
  name: edge0
YAML
