# on: server
# user: student
# task: 02.ready
# verdict: fail
# diagnosis: probe-path
# Everything answers at /, also a shop that is not ready.
kubectl patch deployment/web --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          readinessProbe:
            httpGet:
              path: /
              port: $LAB_PORT
            periodSeconds: 2
YAML
kubectl rollout status deployment/web --timeout=60s --namespace="$LAB_NAMESPACE"
