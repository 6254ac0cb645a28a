# on: server
# user: student
kubectl patch deployment/web --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          env:
            - name: WEB_PORT
              value: "$LAB_PORT"
          readinessProbe:
            httpGet:
              path: /readyz
              port: $LAB_PORT
            periodSeconds: 2
YAML
kubectl rollout status deployment/web --namespace="$LAB_NAMESPACE" --timeout=60s
