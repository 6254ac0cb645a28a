# on: server
# user: student
# task: 03.public
# verdict: fail
# diagnosis: not-a-load-balancer
# A Service for use inside the cluster.
kubectl delete service/shop-public --namespace="$LAB_NAMESPACE"
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: shop-public
  namespace: $LAB_NAMESPACE
spec:
  selector:
    app: shop
  ports:
    - port: $LAB_PUBLIC
      targetPort: $LAB_PORT
YAML
