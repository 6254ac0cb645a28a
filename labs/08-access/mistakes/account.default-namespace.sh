# on: server
# user: student
# task: 08.account
# verdict: fail
# diagnosis: other-namespace
# kubectl makes it in default when no namespace is named.
kubectl delete "serviceaccount/$LAB_PERSON" --namespace="$LAB_NAMESPACE"
kubectl create serviceaccount "$LAB_PERSON"
