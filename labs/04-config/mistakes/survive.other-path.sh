# on: server
# user: student
# task: 04.survive
# verdict: fail
# diagnosis: other-path
# The claim is there, in another folder.
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<'YAML'
spec:
  template:
    spec:
      containers:
        - name: web
          volumeMounts:
            - mountPath: /data
              $patch: delete
            - name: guestbook
              mountPath: /var/data
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
