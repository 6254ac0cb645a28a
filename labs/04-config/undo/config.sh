# on: server
# user: student
# Also where a mistake may have put it.
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<'YAML'
spec:
  template:
    spec:
      containers:
        - name: web
          volumeMounts:
            - mountPath: /etc/shop
              $patch: delete
            - mountPath: /etc/shop/notice.txt
              $patch: delete
      volumes:
        - name: notice
          $patch: delete
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
kubectl delete configmap/notice --ignore-not-found --namespace="$LAB_NAMESPACE"
kubectl delete configmap/notice --ignore-not-found --namespace=default
