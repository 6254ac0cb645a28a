# on: server
# user: student
# task: 06.api
# verdict: fail
# diagnosis: one-node-only
# Bound to one place: there is no other node to go to.
kubectl patch deployment/api --namespace="$LAB_NAMESPACE" --patch "{\"spec\": {\"template\": {\"spec\": {\"nodeSelector\": {\"site\": \"$LAB_SITE_B\"}}}}}"
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
