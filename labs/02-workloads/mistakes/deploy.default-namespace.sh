# on: server
# user: student
# task: 02.deploy
# verdict: fail
# diagnosis: other-namespace
# The right Deployment, and the namespace forgotten.
kubectl delete deployments,statefulsets,pods --all --namespace="$LAB_NAMESPACE"
kubectl delete deployment/web --namespace=default --ignore-not-found
kubectl create deployment web --image=course/web:1 --replicas="$LAB_REPLICAS"
kubectl rollout status deployment/web --timeout=60s
