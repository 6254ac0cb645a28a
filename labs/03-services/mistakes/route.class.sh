# on: server
# user: student
# task: 03.route
# verdict: fail
# diagnosis: class-unknown
# Nobody in this cluster looks after this class.
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: $LAB_NAMESPACE
spec:
  ingressClassName: nginx
  rules:
    - host: $LAB_HOST
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
