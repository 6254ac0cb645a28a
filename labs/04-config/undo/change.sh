# on: server
# user: student
# Back to the notice before, mounted as a folder.
kubectl create configmap notice --from-literal=notice.txt="$LAB_NOTICE" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<'YAML'
spec:
  template:
    spec:
      containers:
        - name: web
          volumeMounts:
            - mountPath: /etc/shop/notice.txt
              $patch: delete
            - mountPath: /etc/shop
              name: notice
      volumes:
        - name: notice
          configMap:
            name: notice
YAML
kubectl rollout restart deployment/shop --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
kubectl delete configmap/notice-2 --ignore-not-found --namespace="$LAB_NAMESPACE"
