# on: server
# user: root
set -eu
# The port of another distribution. K3s's API server has 6443, and listens on 6444 for itself.
install --mode=0600 --owner=student /etc/rancher/k3s/k3s.yaml /home/student/dana.kubeconfig
sed --in-place 's#server: .*#server: https://127.0.0.1:16443#' /home/student/dana.kubeconfig
