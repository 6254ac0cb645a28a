# on: server
# user: student
# task: 02.history
# verdict: fail
# diagnosis: recreated
# Deleted and created with the new version: no history.
kubectl delete deployment/web --namespace="$LAB_NAMESPACE"
kubectl create deployment web --image=course/web:2 --replicas="$LAB_REPLICAS" --namespace="$LAB_NAMESPACE"
kubectl annotate deployment/web kubernetes.io/change-cause="release version 2" --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
