# on: server
# user: student
# task: 16.access
# verdict: fail
# diagnosis: not-verified
# Whoever answers is believed.
kubectl config set-cluster default --server="https://127.0.0.1:6443" --insecure-skip-tls-verify=true --kubeconfig="$HOME/dana.kubeconfig"
