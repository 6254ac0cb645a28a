# on: server
# user: student
# task: 02.deploy
# verdict: fail
# diagnosis: other-kind
# Pods that come again, but of a StatefulSet.
kubectl delete deployments,statefulsets,pods --all --namespace="$LAB_NAMESPACE"
kubectl delete deployment/web --namespace=default --ignore-not-found
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
  namespace: $LAB_NAMESPACE
spec:
  serviceName: web
  selector:
    matchLabels:
      app: web-set
  template:
    metadata:
      labels:
        app: web-set
    spec:
      containers:
        - name: web
          image: course/web:1
YAML
kubectl rollout status statefulset/web --timeout=60s --namespace="$LAB_NAMESPACE"
