# on: server
# user: student
kubectl scale deployment/guestbook --replicas=0 --namespace="$LAB_NAMESPACE"
kubectl delete persistentvolumeclaim/guestbook --namespace="$LAB_NAMESPACE"
kubectl apply -f - <<YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: guestbook
  namespace: $LAB_NAMESPACE
spec:
  storageClassName: local-path
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 16Mi
YAML
kubectl scale deployment/guestbook --replicas=1 --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/guestbook --timeout=60s --namespace="$LAB_NAMESPACE"
