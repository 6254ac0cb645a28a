# on: server
# user: student
# task: 01.laptop
# verdict: fail
# diagnosis: loopback
# The address that K3s writes, which is every computer for itself.
sudo cat /etc/rancher/k3s/k3s.yaml > ~/work/laptop.yaml
