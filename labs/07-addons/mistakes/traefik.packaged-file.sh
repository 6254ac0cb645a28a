# on: server
# user: student
# task: 07.traefik
# verdict: fail
# diagnosis: packaged-file
# K3s's own file was edited.
kubectl delete helmchartconfig/traefik --namespace=kube-system
sudo cp /var/lib/rancher/k3s/server/manifests/traefik.yaml /root/traefik.yaml
sudo sed -i 's/^  valuesContent: |-/&\n    logs: {access: {enabled: true}}/' /var/lib/rancher/k3s/server/manifests/traefik.yaml
until kubectl get helmchart/traefik --namespace=kube-system --output=jsonpath='{.spec.valuesContent}' | grep -q access; do sleep 1; done
