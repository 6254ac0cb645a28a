# on: server
# user: student
# task: 03.service
# verdict: fail
# diagnosis: other-namespace
# The right Service, and the namespace forgotten.
kubectl delete service/shop --ignore-not-found --namespace="$LAB_NAMESPACE"
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: shop
  namespace: default
spec:
  selector:
    app: shop
  ports:
    - port: 80
      targetPort: $LAB_PORT
YAML
