# on: server
# user: student
# task: 08.bounds
# verdict: fail
# diagnosis: cluster-wide
# A ClusterRoleBinding is for every namespace.
kubectl create clusterrolebinding look --clusterrole=view --serviceaccount="$LAB_NAMESPACE:$LAB_PERSON"
