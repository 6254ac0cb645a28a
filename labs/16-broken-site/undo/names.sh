# on: server
# user: root
# Also what a mistake or another right answer has changed.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
# Without a pod that has it mounted, so that the new one does not begin with what the kubelet remembers.
kubectl scale deployment/coredns --replicas=0 --namespace=kube-system
kubectl wait pods --for=delete --selector=k8s-app=kube-dns --timeout=60s --namespace=kube-system
kubectl delete configmap/coredns-custom --namespace=kube-system --ignore-not-found
kubectl create configmap coredns-custom --namespace=kube-system \
    --from-literal=old-zone.override="template ANY ANY $LAB_NAMESPACE.svc.cluster.local {
  rcode NXDOMAIN
}"
kubectl scale deployment/coredns --replicas=1 --namespace=kube-system
kubectl rollout status deployment/coredns --timeout=60s --namespace=kube-system
