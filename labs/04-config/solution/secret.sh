# on: server
# user: student
kubectl create secret generic till --from-literal=password="$LAB_PASSWORD" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          env:
            - name: TILL_PASSWORD
              valueFrom:
                secretKeyRef:
                  name: till
                  key: password
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
