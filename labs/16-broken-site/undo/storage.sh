# on: server
# user: root
# Also what a mistake or another right answer has changed.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl scale deployment/guestbook --replicas=0 --namespace="$LAB_NAMESPACE"
kubectl patch deployment/guestbook --type=json --namespace="$LAB_NAMESPACE" --patch='[{"op": "replace", "path": "/spec/template/spec/volumes",
    "value": [{"name": "pages", "persistentVolumeClaim": {"claimName": "guestbook"}}]}]'
kubectl delete persistentvolumeclaims --all --namespace="$LAB_NAMESPACE"
kubectl delete storageclass/fast --ignore-not-found
kubectl apply -f - <<YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: guestbook
  namespace: $LAB_NAMESPACE
spec:
  storageClassName: fast
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 16Mi
YAML
kubectl scale deployment/guestbook --replicas=1 --namespace="$LAB_NAMESPACE"
