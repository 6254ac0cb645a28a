# on: server
# user: student
# The Deployment does it by itself, if nothing keeps new pods away. See it once: delete a pod and wait until all are there again.
kubectl delete resourcequota --all --namespace="$LAB_NAMESPACE"
pod=$(kubectl get pods --namespace="$LAB_NAMESPACE" --selector=app=web --sort-by=.metadata.creationTimestamp --output=name | tail -n 1)
kubectl delete "$pod" --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
