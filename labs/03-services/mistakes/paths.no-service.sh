# on: server
# user: student
# task: 03.paths
# verdict: fail
# diagnosis: cart-service-missing
# An Ingress leads to Services, not to Deployments.
kubectl delete service/cart --namespace="$LAB_NAMESPACE"
