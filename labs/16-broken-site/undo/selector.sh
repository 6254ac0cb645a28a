# on: server
# user: root
# Also what a mistake or another right answer has changed.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl replace -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: cart
  namespace: $LAB_NAMESPACE
spec:
  selector:
    app: basket
  ports:
    - port: 80
      targetPort: http
YAML
kubectl delete pods --selector=app=basket --namespace="$LAB_NAMESPACE"
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: keep-out
  namespace: $LAB_NAMESPACE
  annotations:
    owner: the security team; ask before you touch it
spec:
  podSelector:
    matchLabels:
      vault: "true"
  policyTypes: [Ingress]
YAML
