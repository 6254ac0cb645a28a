# on: server
# user: student
# task: 03.paths
# verdict: fail
# diagnosis: path-to-shop
# The cart's path leads to the shop's Service.
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
                name: shop
                port:
                  number: 80
YAML
