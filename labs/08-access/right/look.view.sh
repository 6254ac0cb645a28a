# on: server
# user: student
# The ready-made role for looking, bound in this namespace only.
kubectl create rolebinding look --clusterrole=view --serviceaccount="$LAB_NAMESPACE:$LAB_PERSON" --namespace="$LAB_NAMESPACE"
