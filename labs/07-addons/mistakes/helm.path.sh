# on: server
# user: student
# task: 07.helm
# verdict: fail
# diagnosis: not-a-url
# A path of this machine, which the Job in its pod does not see.
kubectl delete "helmchart/$LAB_RELEASE" --namespace=kube-system --timeout=60s
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata:
  name: $LAB_RELEASE
  namespace: kube-system
spec:
  chart: /home/student/work/greeter
  targetNamespace: $LAB_TARGET
  createNamespace: true
YAML
