# on: server
# user: student
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: collector
  namespace: $LAB_NAMESPACE
spec:
  selector:
    matchLabels:
      app: collector
  template:
    metadata:
      labels:
        app: collector
    spec:
      nodeSelector:
        tier: edge
      tolerations:
        - key: device
          operator: Exists
      containers:
        - name: web
          image: course/web:1
YAML
kubectl rollout status daemonset/collector --namespace="$LAB_NAMESPACE" --timeout=60s
