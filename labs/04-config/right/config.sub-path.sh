# on: server
# user: student
# One file, beside what else the folder may hold.
kubectl create configmap notice --from-literal=notice="$LAB_NOTICE" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          volumeMounts:
            - name: notice
              mountPath: /etc/shop/notice.txt
              subPath: notice
      volumes:
        - name: notice
          configMap:
            name: notice
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
