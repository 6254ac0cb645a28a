# on: server
# user: student
# task: 04.survive
# verdict: fail
# diagnosis: empty-dir
# An emptyDir lives as long as its pod.
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          volumeMounts:
            - name: scratch
              mountPath: /data
      volumes:
        - name: scratch
          emptyDir: {}
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
