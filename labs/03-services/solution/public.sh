# on: server
# user: student
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
    - port: $LAB_PUBLIC
      targetPort: $LAB_PORT
YAML
kubectl wait service/shop-public --for=jsonpath='{.status.loadBalancer.ingress[0].ip}' --timeout=60s --namespace="$LAB_NAMESPACE"
