# on: server
# user: student
# task: 16.selector
# verdict: fail
# diagnosis: lone-pod
# The pod gets the label, and loses the Deployment that would make it again.
kubectl set selector service/cart app=basket --namespace="$LAB_NAMESPACE"
kubectl label pods --selector=app=cart app=basket --overwrite --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/cart --timeout=60s --namespace="$LAB_NAMESPACE"
