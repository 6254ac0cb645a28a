# on: server
# user: student
# task: 06.sensor
# verdict: fail
# diagnosis: toleration-without-affinity
# Allowed on edge1, and on every other node as well.
kubectl patch deployment/sensor --namespace="$LAB_NAMESPACE" --patch '{"spec": {"template": {"spec": {"nodeSelector": null}}}}'
kubectl rollout status deployment/sensor --namespace="$LAB_NAMESPACE" --timeout=60s
