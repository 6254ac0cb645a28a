# on: server
# user: student
# task: 02.scale
# verdict: fail
# diagnosis: replicas-differ
# The ReplicaSet was scaled, and its Deployment set it back.
kubectl scale deployment/web --replicas=1 --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
for set in $(kubectl get replicasets --selector=app=web --output=name --namespace="$LAB_NAMESPACE"); do
    if [ "$(kubectl get "$set" --output=jsonpath='{.spec.replicas}' --namespace="$LAB_NAMESPACE")" = 1 ]; then
        kubectl scale "$set" --replicas="$LAB_REPLICAS" --namespace="$LAB_NAMESPACE"
    fi
done
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
