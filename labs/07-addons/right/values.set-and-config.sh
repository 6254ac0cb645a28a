# on: server
# user: student
# One value with set, the other with a HelmChartConfig.
kubectl patch "helmchart/$LAB_RELEASE" --type=merge --namespace=kube-system --patch="{\"spec\": {\"set\": {\"replicas\": \"$LAB_REPLICAS\"}}}"
kubectl wait --for=jsonpath='{.spec.replicas}'="$LAB_REPLICAS" "deployment/$LAB_RELEASE" --timeout=60s --namespace="$LAB_TARGET"
kubectl wait --for=condition=Complete "job/helm-install-$LAB_RELEASE" --timeout=60s --namespace=kube-system
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
