# on: server
# user: student
# task: 08.expiry
# verdict: fail
# diagnosis: never-ends
# A token that lies in a Secret has no end.
cd ~/work
kubectl apply -f - <<YAML
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata:
  name: forever
  namespace: $LAB_NAMESPACE
  annotations:
    kubernetes.io/service-account.name: $LAB_PERSON
YAML
kubectl wait secret/forever --for=jsonpath='{.data.token}' --namespace="$LAB_NAMESPACE" --timeout=20s
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" set-credentials "$LAB_PERSON" --token="$(kubectl get secret/forever --namespace="$LAB_NAMESPACE" --output=jsonpath='{.data.token}' | base64 --decode)"
