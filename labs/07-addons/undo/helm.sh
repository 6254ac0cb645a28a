# on: server
# user: student
# Also what a mistake may have put there. Deleting the HelmChart uninstalls the release.
sudo rm -f "/var/lib/rancher/k3s/server/manifests/$LAB_RELEASE.yaml"
kubectl delete "helmchart/$LAB_RELEASE" --ignore-not-found --namespace=kube-system --timeout=60s
kubectl delete addon/"$LAB_RELEASE" --ignore-not-found --namespace=kube-system
