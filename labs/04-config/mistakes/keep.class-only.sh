# on: server
# user: student
# task: 04.keep
# verdict: fail
# diagnosis: class-only
# A StorageClass says what is made from now on, and nothing of what is there.
volume=$(kubectl get pvc/guestbook --namespace="$LAB_NAMESPACE" --output=jsonpath='{.spec.volumeName}')
kubectl patch "pv/$volume" --patch='{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}'
kubectl apply -f - <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: keep
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Retain
YAML
