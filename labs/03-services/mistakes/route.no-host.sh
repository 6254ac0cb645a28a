# on: server
# user: student
# task: 03.route
# verdict: fail
# diagnosis: every-host
# No host: every host name leads to the shop.
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: $LAB_NAMESPACE
spec:
  ingressClassName: traefik
  rules:
    - http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: shop
                port:
                  number: 80
YAML
