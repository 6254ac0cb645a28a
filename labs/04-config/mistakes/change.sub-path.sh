# on: server
# user: student
# task: 04.change
# verdict: fail
# diagnosis: sub-path
# What is mounted with subPath is never brought up to date.
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
              subPath: notice.txt
              name: notice
YAML
kubectl create configmap notice --from-literal=notice.txt="$LAB_NOTICE" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl rollout restart deployment/shop --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
kubectl create configmap notice --from-literal=notice.txt="$LAB_NEWS" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
