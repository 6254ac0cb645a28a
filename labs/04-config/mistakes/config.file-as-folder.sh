# on: server
# user: student
# task: 04.config
# verdict: fail
# diagnosis: mounted-as-folder
# Without subPath a volume is a folder, whatever it is called.
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
              name: notice
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
