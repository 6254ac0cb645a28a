# on: server
# user: student
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: traefik
  namespace: kube-system
spec:
  valuesContent: |-
    logs:
      access:
        enabled: true
YAML
until kubectl get deployment/traefik --output=jsonpath='{.spec.template.spec.containers[0].args}' --namespace=kube-system | grep --quiet accesslog; do sleep 1; done
kubectl rollout status deployment/traefik --timeout=240s --namespace=kube-system
