# on: server
# user: student
kubectl create namespace "$LAB_NAMESPACE" --dry-run=client -o yaml | kubectl apply -f -
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: $LAB_NAMESPACE
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: course/web:1
YAML
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
