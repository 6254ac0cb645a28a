# on: server
# user: student
# task: 07.traefik
# verdict: fail
# diagnosis: config-name
# A HelmChartConfig changes the HelmChart of its own name.
kubectl delete helmchartconfig/traefik --namespace=kube-system
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: traefik-access
  namespace: kube-system
spec:
  valuesContent: |-
    logs: {access: {enabled: true}}
YAML
