# on: server
# user: student
kubectl set selector service/cart app=cart --namespace="$LAB_NAMESPACE"
