# on: server
# user: student
# task: 03.service
# verdict: fail
# diagnosis: selector-too-wide
# A label that the cart's pod has as well.
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: shop
  namespace: $LAB_NAMESPACE
spec:
  selector:
    tier: front
  ports:
    - port: 80
      targetPort: $LAB_PORT
YAML
