# on: server
# user: student
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<'YAML'
spec:
  template:
    spec:
      containers:
        - name: web
          envFrom: null
          env:
            - name: TILL_PASSWORD
              $patch: delete
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
kubectl delete secret/till --ignore-not-found --namespace="$LAB_NAMESPACE"
