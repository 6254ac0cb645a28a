# on: server
# user: student
# task: 04.secret
# verdict: fail
# diagnosis: in-the-deployment
# The password stands in the Deployment.
kubectl set env deployment/shop TILL_PASSWORD="$LAB_PASSWORD" --namespace="$LAB_NAMESPACE"
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
