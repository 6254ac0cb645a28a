# on: server
# user: student
# One value with set, the other with a HelmChartConfig.
kubectl patch "helmchart/$LAB_RELEASE" --type=merge --namespace=kube-system --patch="{\"spec\": {\"set\": {\"replicas\": \"$LAB_REPLICAS\"}}}"
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: $LAB_RELEASE
  namespace: kube-system
spec:
  valuesContent: |-
    greeting: "$LAB_GREETING"
YAML
