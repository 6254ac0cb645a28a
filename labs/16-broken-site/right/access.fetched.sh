# on: server
# user: student
# The kubeconfig that the server wrote.
sudo install --mode=0600 --owner=student /etc/rancher/k3s/k3s.yaml ~/dana.kubeconfig
