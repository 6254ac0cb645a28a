# on: server
# user: student
# task: 02.ready
# verdict: fail
# diagnosis: app-port
# The probe asks the right port, but nobody told the shop to listen there.
kubectl set env deployment/web WEB_PORT- --namespace="$LAB_NAMESPACE"
until kubectl get events --field-selector=reason=Unhealthy --namespace="$LAB_NAMESPACE" | grep -q ":$LAB_PORT/readyz"; do sleep 0.5; done
