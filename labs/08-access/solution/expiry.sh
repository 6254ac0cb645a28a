# on: server
# user: student
cd ~/work
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" set-credentials "$LAB_PERSON" --token="$(kubectl create token "$LAB_PERSON" --namespace="$LAB_NAMESPACE" --duration=8h)"
