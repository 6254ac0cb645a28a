# on: server
# user: student
# task: 08.kubeconfig
# verdict: fail
# diagnosis: loopback
# On another computer this is that computer itself.
cd ~/work
kubectl config --kubeconfig="$LAB_PERSON.kubeconfig" set-cluster lab --server=https://127.0.0.1:6443
