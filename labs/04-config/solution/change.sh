# on: server
# user: student
kubectl create configmap notice --from-literal=notice.txt="$LAB_NEWS" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl rollout restart deployment/shop --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
