# on: server
# user: student
# task: 03.service
# verdict: fail
# diagnosis: selector-matches-no-pod
# The label of another chapter's pods.
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: shop
  namespace: $LAB_NAMESPACE
spec:
  selector:
    app: web
  ports:
    - port: 80
      targetPort: $LAB_PORT
YAML
