# on: server
# user: student
# task: 06.sensor
# verdict: fail
# diagnosis: node-name
# The scheduler is passed over: nobody looks at taints, room or health of the node.
kubectl patch deployment/sensor --namespace="$LAB_NAMESPACE" --patch '{"spec": {"template": {"spec": {"nodeSelector": null, "nodeName": "edge1"}}}}'
kubectl rollout status deployment/sensor --namespace="$LAB_NAMESPACE" --timeout=60s
