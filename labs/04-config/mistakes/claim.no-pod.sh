# on: server
# user: student
# task: 04.claim
# verdict: fail
# diagnosis: no-pod
# A claim alone is not bound: its class waits for the first pod.
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<'YAML'
spec:
  template:
    spec:
      containers:
        - name: web
          volumeMounts:
            - mountPath: /data
              $patch: delete
      volumes:
        - name: guestbook
          $patch: delete
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
volume=$(kubectl get pvc/guestbook --namespace="$LAB_NAMESPACE" --output=jsonpath='{.spec.volumeName}')
kubectl delete pvc/guestbook --namespace="$LAB_NAMESPACE" --timeout=60s
kubectl delete "pv/$volume" --ignore-not-found --timeout=60s
kubectl apply -f - <<YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: guestbook
  namespace: $LAB_NAMESPACE
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: ${LAB_SIZE}Mi
YAML
