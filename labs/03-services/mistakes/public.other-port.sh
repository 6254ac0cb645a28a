# on: server
# user: student
# task: 03.public
# verdict: fail
# diagnosis: public-port
# Open, but on the pods' port.
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: shop-public
  namespace: $LAB_NAMESPACE
spec:
  type: LoadBalancer
  selector:
    app: shop
  ports:
    - port: $LAB_PORT
      targetPort: $LAB_PORT
YAML
