# on: server
# user: student
# task: 16.names
# verdict: fail
# diagnosis: zone-remains
# Fewer kinds of questions are denied, and addresses are still among them.
kubectl create configmap coredns-custom --namespace=kube-system \
    --from-literal=old-zone.override="template IN A $LAB_NAMESPACE.svc.cluster.local {
  rcode NXDOMAIN
}"
kubectl rollout restart deployment/coredns --namespace=kube-system
kubectl rollout status deployment/coredns --timeout=60s --namespace=kube-system
