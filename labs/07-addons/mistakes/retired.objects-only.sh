# on: server
# user: student
# task: 07.retired
# verdict: fail
# diagnosis: file-remains
# Deleted with kubectl, and the file forgotten.
sudo tee /var/lib/rancher/k3s/server/manifests/old-till.yaml > /dev/null <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: old-till-rates
  namespace: kube-system
YAML
kubectl wait --for=create configmap/old-till-rates --timeout=60s --namespace=kube-system
kubectl delete configmap/old-till-rates --namespace=kube-system
