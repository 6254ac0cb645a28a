# on: server
# user: student
# task: 08.bounds
# verdict: fail
# diagnosis: stars
# A star is more than one thinks.
kubectl create role more --resource=pods --verb='*' --namespace="$LAB_NAMESPACE"
kubectl create rolebinding more --role=more --serviceaccount="$LAB_NAMESPACE:$LAB_PERSON" --namespace="$LAB_NAMESPACE"
