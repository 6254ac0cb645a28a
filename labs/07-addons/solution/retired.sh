# on: server
# user: student
# First the file: as long as it is there, K3s may apply it again.
sudo mv /var/lib/rancher/k3s/server/manifests/old-till.yaml /tmp/old-till.yaml
sudo kubectl delete --ignore-not-found --filename=/tmp/old-till.yaml
sudo rm /tmp/old-till.yaml
