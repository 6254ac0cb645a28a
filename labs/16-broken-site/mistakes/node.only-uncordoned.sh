# on: server
# user: student
# task: 16.node
# verdict: fail
# diagnosis: still-tainted
# One of the two things that were in the way.
kubectl taint node server maintenance=tonight:NoSchedule
kubectl delete pods --selector=app=offers --wait=false --namespace="$LAB_NAMESPACE"
