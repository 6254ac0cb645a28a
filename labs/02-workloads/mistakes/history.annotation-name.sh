# on: server
# user: student
# task: 02.history
# verdict: fail
# diagnosis: annotation-name
# The annotation's name lacks its prefix.
kubectl annotate deployment/web kubernetes.io/change-cause- --namespace="$LAB_NAMESPACE"
kubectl annotate replicasets --selector=app=web kubernetes.io/change-cause- --namespace="$LAB_NAMESPACE"
kubectl annotate deployment/web change-cause="release version 2" --overwrite --namespace="$LAB_NAMESPACE"
