# on: server
# user: student
# task: 08.expiry
# verdict: fail
# diagnosis: too-long
# A year is a long time for a file to be lost.
cd ~/work
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" set-credentials "$LAB_PERSON" --token="$(kubectl create token "$LAB_PERSON" --namespace="$LAB_NAMESPACE" --duration=8760h)"
