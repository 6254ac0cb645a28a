# on: server
# user: student
# task: 16.selector
# verdict: fail
# diagnosis: policy-deleted
# It was not in the way.
kubectl delete networkpolicy --all --namespace="$LAB_NAMESPACE"
