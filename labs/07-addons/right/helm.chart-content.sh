# on: server
# user: student
# The chart inside the HelmChart, in a namespace that was made before, the HelmChart as a file that K3s keeps applied.
kubectl get namespace "$LAB_TARGET" > /dev/null || kubectl create namespace "$LAB_TARGET"
sudo tee "/var/lib/rancher/k3s/server/manifests/$LAB_RELEASE.yaml" > /dev/null <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata:
  name: $LAB_RELEASE
  namespace: kube-system
spec:
  chartContent: $(tar --create --gzip --directory="$HOME/work" greeter | base64 --wrap=0)
  targetNamespace: $LAB_TARGET
YAML
kubectl wait --for=create "helmchart/$LAB_RELEASE" --timeout=60s --namespace=kube-system
