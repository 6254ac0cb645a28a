# on: server
# user: student
# By one command, and without the scheduler.
kubectl run visitor --image=course/tools:1 --namespace="$LAB_NAMESPACE" --overrides='{"spec": {"nodeName": "edge1"}}'
kubectl wait pod/visitor --for=condition=Ready --namespace="$LAB_NAMESPACE" --timeout=60s
