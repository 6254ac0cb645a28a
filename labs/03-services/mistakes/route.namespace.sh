# on: server
# user: student
# task: 03.route
# verdict: fail
# diagnosis: ingress-namespace
# The Ingress stands in another namespace than the Service.
kubectl delete ingress/shop --ignore-not-found --namespace="$LAB_NAMESPACE"
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: default
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
                name: shop
                port:
                  number: 80
YAML
