# on: server
# user: student
# task: 03.service
# verdict: fail
# diagnosis: target-port
# No targetPort: then it is the same as the port.
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: shop
  namespace: $LAB_NAMESPACE
spec:
  selector:
    app: shop
  ports:
    - port: 80
YAML
