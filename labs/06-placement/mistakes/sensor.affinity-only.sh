# on: server
# user: student
# task: 06.sensor
# verdict: fail
# diagnosis: affinity-without-toleration
# Attracted by a node that does not let them in.
kubectl patch deployment/sensor --namespace="$LAB_NAMESPACE" --patch '{"spec": {"template": {"spec": {"tolerations": null}}}}'
until kubectl get pods --selector=app=sensor --namespace="$LAB_NAMESPACE" | grep -q Pending; do sleep 0.5; done
