# on: server
# user: student
# task: 02.requests
# verdict: fail
# diagnosis: whole-cores
# Without the m these are whole CPUs.
kubectl patch deployment/web --namespace="$LAB_NAMESPACE" --type=json --patch-file=/dev/stdin <<JSON
[{"op": "replace", "path": "/spec/template/spec/containers/0/resources",
  "value": {"requests": {"cpu": "$LAB_CPU", "memory": "${LAB_MEMORY}Mi"}}}]
JSON
until kubectl get pods --selector=app=web --namespace="$LAB_NAMESPACE" | grep -q Pending; do sleep 0.5; done
