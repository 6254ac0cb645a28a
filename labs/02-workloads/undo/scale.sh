# on: server
# user: student
kubectl scale deployment/web --replicas=1 --namespace="$LAB_NAMESPACE"
