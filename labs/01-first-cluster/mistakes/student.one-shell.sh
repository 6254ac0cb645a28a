# on: server
# user: student
# task: 01.student
# verdict: fail
# diagnosis: kubeconfig-unset
# Exported in this shell, and nowhere else.
sed -i '/KUBECONFIG=/d' ~/.profile
export KUBECONFIG=~/.kube/config
kubectl get nodes
