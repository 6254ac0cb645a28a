# on: server
# user: root
# Also what a mistake or another right answer has changed.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl delete ingressclass/nginx --ignore-not-found
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: press
  namespace: $LAB_NAMESPACE
spec:
  ingressClassName: nginx
  rules:
    - host: $LAB_HOST
      http:
        paths:
          - path: /press
            pathType: Prefix
            backend:
              service:
                name: press
                port:
                  number: 80
YAML
# Where the other Ingress has it, too.
kubectl patch ingress/site --type=json --patch='[{"op": "remove", "path": "/spec/rules/0/http/paths/5"}]' --namespace="$LAB_NAMESPACE" || true
