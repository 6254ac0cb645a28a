# on: server
# user: student
# task: 02.image
# verdict: fail
# diagnosis: edited-pods
# The pods were changed, not the template that they come from.
kubectl set image deployment/web web=course/web:1 --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
for pod in $(kubectl get pods --selector=app=web --output=name --namespace="$LAB_NAMESPACE"); do
    kubectl set image "$pod" web=course/web:2 --namespace="$LAB_NAMESPACE" || true # one of the old pods may just have gone
done
