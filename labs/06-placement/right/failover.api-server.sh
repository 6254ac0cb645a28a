# on: server
# user: student
# Told to the API server, which adds it to every pod that says nothing. Pods that are there keep what they have.
sudo mkdir -p /etc/rancher/k3s/config.yaml.d
sudo tee /etc/rancher/k3s/config.yaml.d/patience.yaml > /dev/null <<YAML
kube-apiserver-arg:
  - default-unreachable-toleration-seconds=$LAB_PATIENCE
  - default-not-ready-toleration-seconds=$LAB_PATIENCE
YAML
sudo systemctl restart k3s
kubectl rollout restart deployment/api --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/api --namespace="$LAB_NAMESPACE" --timeout=60s
