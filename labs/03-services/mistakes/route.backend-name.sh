# on: server
# user: student
# task: 03.route
# verdict: fail
# diagnosis: backend-missing
# There is no Service of this name.
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: $LAB_NAMESPACE
spec:
  ingressClassName: traefik
  rules:
    - host: $LAB_HOST
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: web
                port:
                  number: 80
YAML
