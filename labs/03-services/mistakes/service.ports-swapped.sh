# on: server
# user: student
# task: 03.service
# verdict: fail
# diagnosis: ports-swapped
# The pods' port where the Service's own belongs, and the other way round.
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
    - port: $LAB_PORT
      targetPort: 80
YAML
