# on: server
# user: student
# task: 08.kubeconfig
# verdict: fail
# diagnosis: other-account
# A token of the account that every namespace has.
cd ~/work
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" set-credentials "$LAB_PERSON" --token="$(kubectl create token default --namespace="$LAB_NAMESPACE")"
