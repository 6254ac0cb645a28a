# on: server
# user: student
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
      targetPort: $LAB_PORT
YAML
kubectl get endpointslices --selector=kubernetes.io/service-name=shop --namespace="$LAB_NAMESPACE"
