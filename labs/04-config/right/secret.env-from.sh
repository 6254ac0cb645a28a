# on: server
# user: student
# The Secret's keys are the variables' names.
kubectl create secret generic till --from-literal=TILL_PASSWORD="$LAB_PASSWORD" --namespace="$LAB_NAMESPACE"
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          envFrom:
            - secretRef:
                name: till
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
