# on: server
# user: root
# The old till: an AddOn that has retired.
umask 077
cat > /var/lib/rancher/k3s/server/manifests/old-till.yaml <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: old-till
  namespace: default
spec:
  selector:
    matchLabels:
      app: old-till
  template:
    metadata:
      labels:
        app: old-till
    spec:
      containers:
        - name: till
          image: course/web:1
          env:
            - name: WEB_BODY
              value: Please count your change
---
apiVersion: v1
kind: Service
metadata:
  name: old-till
  namespace: default
spec:
  selector:
    app: old-till
  ports:
    - port: 80
      targetPort: 8080
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: old-till-rates
  namespace: kube-system
data:
  rates: one for one
YAML
k3s kubectl wait --for=create configmap/old-till-rates --namespace=kube-system --timeout=60s
