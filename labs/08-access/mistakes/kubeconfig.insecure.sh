# on: server
# user: student
# task: 08.kubeconfig
# verdict: fail
# diagnosis: insecure
# Whoever answers is believed.
cd ~/work
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" unset clusters.lab.certificate-authority-data
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" set-cluster lab --insecure-skip-tls-verify=true
