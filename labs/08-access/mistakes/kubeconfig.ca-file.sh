# on: server
# user: student
# task: 08.kubeconfig
# verdict: fail
# diagnosis: ca-file
# The certificate stays behind when the file is sent.
cd ~/work
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" unset clusters.lab.certificate-authority-data
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" set-cluster lab --certificate-authority=ca.crt
