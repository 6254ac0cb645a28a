# on: server
# user: student
# task: 08.bounds
# verdict: fail
# diagnosis: till-cut-off
# The till needed it.
kubectl delete rolebinding/till --namespace="$LAB_NAMESPACE"
