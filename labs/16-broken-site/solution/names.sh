# on: server
# user: student
kubectl delete configmap/coredns-custom --namespace=kube-system
kubectl rollout restart deployment/coredns --namespace=kube-system
kubectl rollout status deployment/coredns --timeout=60s --namespace=kube-system
