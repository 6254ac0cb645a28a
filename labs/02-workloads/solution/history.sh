# on: server
# user: student
kubectl annotate deployment/web kubernetes.io/change-cause="release version 2" --overwrite --namespace="$LAB_NAMESPACE"
kubectl rollout history deployment/web --namespace="$LAB_NAMESPACE"
