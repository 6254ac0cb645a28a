# on: server
# user: root
# Back as it was in the beginning; the comment makes it another file than the one that K3s has applied before.
umask 077
rm -f /var/lib/rancher/k3s/server/manifests/old-till.yaml.skip
cat > /var/lib/rancher/k3s/server/manifests/old-till.yaml <<YAML
# $(date +%s.%N)
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
