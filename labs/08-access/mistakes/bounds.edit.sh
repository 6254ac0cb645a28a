# on: server
# user: student
# task: 08.bounds
# verdict: fail
# diagnosis: ready-made
# The ready-made role edit reads Secrets.
kubectl create rolebinding more --clusterrole=edit --serviceaccount="$LAB_NAMESPACE:$LAB_PERSON" --namespace="$LAB_NAMESPACE"
