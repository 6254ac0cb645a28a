# on: server
# user: student
# task: 04.secret
# verdict: fail
# diagnosis: encoding
# kubectl create encodes by itself.
kubectl create secret generic till --from-literal=password="$(printf %s "$LAB_PASSWORD" | base64)" --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl rollout restart deployment/shop --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
