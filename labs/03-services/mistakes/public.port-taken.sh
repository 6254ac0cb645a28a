# on: server
# user: student
# task: 03.public
# verdict: fail
# diagnosis: port-taken
# Port 80 of the machine belongs to Traefik.
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
    - port: 80
      targetPort: $LAB_PORT
YAML
