# on: server
# user: student
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
# A pod that has it among its volumes is enough for it to be bound.
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      volumes:
        - name: guestbook
          persistentVolumeClaim:
            claimName: guestbook
YAML
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
