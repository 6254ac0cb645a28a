# on: server
# user: student
kubectl annotate deployment/web kubernetes.io/change-cause- --namespace="$LAB_NAMESPACE"
kubectl annotate replicasets --selector=app=web kubernetes.io/change-cause- --namespace="$LAB_NAMESPACE"
