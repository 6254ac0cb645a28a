# on: server
# user: student
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: cart
  namespace: $LAB_NAMESPACE
spec:
  selector:
    app: cart
  ports:
    - port: 80
      targetPort: $LAB_CART_PORT
YAML
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: cart
  namespace: $LAB_NAMESPACE
spec:
  ingressClassName: traefik
  rules:
    - host: $LAB_HOST
      http:
        paths:
          - path: /cart
            pathType: Prefix
            backend:
              service:
                name: cart
                port:
                  number: 80
YAML
