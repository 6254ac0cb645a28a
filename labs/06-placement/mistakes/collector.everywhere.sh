# on: server
# user: student
# task: 06.collector
# verdict: fail
# diagnosis: server-too
# Every node is every node: the server as well.
kubectl patch daemonset/collector --namespace="$LAB_NAMESPACE" --patch '{"spec": {"template": {"spec": {"nodeSelector": null}}}}'
kubectl rollout status daemonset/collector --namespace="$LAB_NAMESPACE" --timeout=60s
