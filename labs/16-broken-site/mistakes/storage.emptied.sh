# on: server
# user: student
# task: 16.storage
# verdict: fail
# diagnosis: kept-nowhere
# The pod needs no claim any more, and what is written is gone with it.
kubectl patch deployment/guestbook --type=json --namespace="$LAB_NAMESPACE" \
    --patch='[{"op": "replace", "path": "/spec/template/spec/volumes", "value": [{"name": "pages", "emptyDir": {}}]}]'
kubectl rollout status deployment/guestbook --timeout=60s --namespace="$LAB_NAMESPACE"
