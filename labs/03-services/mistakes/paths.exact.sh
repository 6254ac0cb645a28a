# on: server
# user: student
# task: 03.paths
# verdict: fail
# diagnosis: path-exact
# Exact takes /cart alone, and nothing below it.
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
            pathType: Exact
            backend:
              service:
                name: cart
                port:
                  number: 80
YAML
