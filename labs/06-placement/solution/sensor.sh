# on: server
# user: student
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: sensor
  namespace: $LAB_NAMESPACE
spec:
  replicas: $LAB_SENSORS
  selector:
    matchLabels:
      app: sensor
  template:
    metadata:
      labels:
        app: sensor
    spec:
      nodeSelector:
        site: $LAB_SITE_A
      tolerations:
        - key: device
          operator: Equal
          value: $LAB_DEVICE
          effect: NoSchedule
      containers:
        - name: web
          image: course/web:1
YAML
kubectl rollout status deployment/sensor --namespace="$LAB_NAMESPACE" --timeout=60s
