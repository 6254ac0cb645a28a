# on: server
# user: student
# task: 07.addon
# verdict: fail
# diagnosis: shared-name
# Another file whose name is the same up to the first dot: what the board needs is taken away.
sudo tee "/var/lib/rancher/k3s/server/manifests/$LAB_ADDON.settings.yaml" > /dev/null <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: board-settings
  namespace: $LAB_NAMESPACE
YAML
kubectl wait --for=delete deployment/board --timeout=60s --namespace="$LAB_NAMESPACE"
