# on: server
# user: student
kubectl patch deployment/web --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          readinessProbe: null
          livenessProbe: null
YAML
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
