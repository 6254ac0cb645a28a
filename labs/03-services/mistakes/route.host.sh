# on: server
# user: student
# task: 03.route
# verdict: fail
# diagnosis: host-differs
# The first part of the host name is missing.
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: $LAB_NAMESPACE
spec:
  ingressClassName: traefik
  rules:
    - host: $LAB_NAMESPACE.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: shop
                port:
                  number: 80
YAML
