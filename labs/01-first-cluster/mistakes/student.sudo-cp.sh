# on: server
# user: student
# task: 01.student
# verdict: fail
# diagnosis: not-yours
# A copy that belongs to root.
sudo rm -f ~/.kube/config
sudo cp /etc/rancher/k3s/k3s.yaml ~/.kube/config
