# on: server
# user: student
# A claim is only gone when no pod has it any more; a volume that is retained stays, and its folder.
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
volume=$(kubectl get pvc/guestbook --ignore-not-found --namespace="$LAB_NAMESPACE" --output=jsonpath='{.spec.volumeName}')
kubectl delete pvc/guestbook --ignore-not-found --namespace="$LAB_NAMESPACE" --timeout=60s
if [ -n "$volume" ]; then
    kubectl delete "pv/$volume" --ignore-not-found --timeout=60s
fi
kubectl delete storageclass/keep --ignore-not-found
