# on: server
# user: student
# task: 07.helm
# verdict: fail
# diagnosis: chart-not-found
# A version that is not there.
kubectl delete "helmchart/$LAB_RELEASE" --namespace=kube-system --timeout=60s
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata:
  name: $LAB_RELEASE
  namespace: kube-system
spec:
  chart: https://%{KUBERNETES_API}%/static/charts/greeter-1.0.tgz
  targetNamespace: $LAB_TARGET
  createNamespace: true
YAML
