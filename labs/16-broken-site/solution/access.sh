# on: server
# user: student
kubectl config set-cluster default --server=https://127.0.0.1:6443 --kubeconfig="$HOME/dana.kubeconfig"
