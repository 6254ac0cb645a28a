# on: server
# user: student
# Also what another right answer may have told the API server.
if sudo test -e /etc/rancher/k3s/config.yaml.d/patience.yaml; then
    sudo rm /etc/rancher/k3s/config.yaml.d/patience.yaml
    sudo systemctl restart k3s
fi
kubectl patch deployment/api --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      tolerations:
        - key: device
          operator: Exists
YAML
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
