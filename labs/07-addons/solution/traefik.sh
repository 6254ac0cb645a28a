# on: server
# user: student
# From version 41 on the chart has another word for it.
case $(kubectl get helmchart/traefik --output=jsonpath='{.spec.chart}' --namespace=kube-system) in
    */traefik-[1-9].* | */traefik-[123]?.* | */traefik-40.*) values='logs: {access: {enabled: true}}' ;;
    *) values='accessLog: {enabled: true}' ;;
esac
kubectl apply -f - <<YAML
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: traefik
  namespace: kube-system
spec:
  valuesContent: |-
    $values
YAML
until kubectl get deployment/traefik --output=jsonpath='{.spec.template.spec.containers[0].args}' --namespace=kube-system | grep --quiet accesslog; do sleep 1; done
kubectl rollout status deployment/traefik --timeout=240s --namespace=kube-system
