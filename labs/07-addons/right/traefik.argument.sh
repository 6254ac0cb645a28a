# on: server
# user: student
# Another value of the chart, as a file that K3s keeps applied.
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: traefik
  namespace: kube-system
spec:
  valuesContent: |-
    additionalArguments: ["--accesslog=true"]
YAML
