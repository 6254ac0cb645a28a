# on: server
# user: student
kubectl delete node edge0 --ignore-not-found
kubectl get nodes --output=wide
