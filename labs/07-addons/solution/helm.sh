# on: server
# user: student
cd ~/work
tar --create --gzip --file=greeter-1.0.0.tgz greeter
sudo cp greeter-1.0.0.tgz /var/lib/rancher/k3s/server/static/charts/
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata:
  name: $LAB_RELEASE
  namespace: kube-system
spec:
  chart: https://%{KUBERNETES_API}%/static/charts/greeter-1.0.0.tgz
  targetNamespace: $LAB_TARGET
  createNamespace: true
YAML
kubectl wait --for=create "job/helm-install-$LAB_RELEASE" --timeout=60s --namespace=kube-system
kubectl wait --for=condition=Complete "job/helm-install-$LAB_RELEASE" --timeout=240s --namespace=kube-system
