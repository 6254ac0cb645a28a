# on: server
# user: student
volume=$(kubectl get pvc/guestbook --namespace="$LAB_NAMESPACE" --output=jsonpath='{.spec.volumeName}')
kubectl patch "pv/$volume" --patch='{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}'
kubectl delete storageclass/keep --ignore-not-found
