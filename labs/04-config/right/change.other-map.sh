# on: server
# user: student
# Each notice has a ConfigMap of its own, and the Deployment names the one that counts.
kubectl create configmap notice-2 --from-literal=notice.txt="$LAB_NEWS" --namespace="$LAB_NAMESPACE"
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch='{"spec": {"template": {"spec": {"volumes": [{"name": "notice", "configMap": {"name": "notice-2"}}]}}}}'
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
