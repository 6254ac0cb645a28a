# on: server
# user: student
# task: 06.collector
# verdict: fail
# diagnosis: one-node-refuses
# The tainted node gets none, and the DaemonSet does not even count it.
kubectl patch daemonset/collector --namespace="$LAB_NAMESPACE" --patch '{"spec": {"template": {"spec": {"tolerations": null}}}}'
kubectl rollout status daemonset/collector --namespace="$LAB_NAMESPACE" --timeout=60s
