# on: server
# user: student
# task: 16.node
# verdict: fail
# diagnosis: host-network
# Around the pod network, on the machine's own.
kubectl patch deployment/offers --patch='{"spec": {"template": {"spec": {"hostNetwork": true}}}}' --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/offers --timeout=60s --namespace="$LAB_NAMESPACE"
