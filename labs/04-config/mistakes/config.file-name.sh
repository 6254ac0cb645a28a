# on: server
# user: student
# task: 04.config
# verdict: fail
# diagnosis: file-name
# The key is not the name of the file that is asked for.
kubectl delete configmap/notice --namespace="$LAB_NAMESPACE"
kubectl create configmap notice --from-literal=notice="$LAB_NEWS" --namespace="$LAB_NAMESPACE"
kubectl rollout restart deployment/shop --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
