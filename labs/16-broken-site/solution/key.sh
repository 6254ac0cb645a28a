# on: server
# user: student
key=$(kubectl get secret account --output=jsonpath='{.data.databasekey}' --namespace="$LAB_NAMESPACE")
kubectl patch secret account --patch="{\"data\": {\"database-key\": \"$key\"}}" --namespace="$LAB_NAMESPACE"
kubectl delete pods --selector=app=account --wait=false --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/account --timeout=60s --namespace="$LAB_NAMESPACE"
