# on: server
# user: student
# task: 04.secret
# verdict: fail
# diagnosis: white-space
# echo ends its text with a newline, and base64 keeps it.
kubectl apply -f - <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: till
  namespace: $LAB_NAMESPACE
data:
  password: $(echo "$LAB_PASSWORD" | base64)
YAML
kubectl rollout restart deployment/shop --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
