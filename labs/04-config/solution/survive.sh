# on: server
# user: student
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          volumeMounts:
            - name: guestbook
              mountPath: /data
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
