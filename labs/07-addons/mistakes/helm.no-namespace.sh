# on: server
# user: student
# task: 07.helm
# verdict: fail
# diagnosis: namespace-missing
# Nobody made the namespace, and nobody asked for it to be made.
kubectl delete "helmchart/$LAB_RELEASE" --namespace=kube-system --timeout=60s
kubectl delete "namespace/$LAB_TARGET"
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata:
  name: $LAB_RELEASE
  namespace: kube-system
spec:
  chart: https://%{KUBERNETES_API}%/static/charts/greeter-1.0.0.tgz
  targetNamespace: $LAB_TARGET
YAML
