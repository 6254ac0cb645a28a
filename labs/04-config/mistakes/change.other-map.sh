# on: server
# user: student
# task: 04.change
# verdict: fail
# diagnosis: other-map
# A new ConfigMap that no pod looks at.
kubectl create configmap notice --from-literal=notice.txt="$LAB_NOTICE" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl create configmap notice-2 --from-literal=notice.txt="$LAB_NEWS" --namespace="$LAB_NAMESPACE"
kubectl rollout restart deployment/shop --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
