# on: server
# user: student
# Also what a mistake may have set.
sudo rm -f ~/.kube/config
sed -i '/KUBECONFIG=/d' ~/.profile ~/.bashrc
sudo sed -i '/^write-kubeconfig-/d' /etc/rancher/k3s/config.yaml
sudo chgrp root /etc/rancher/k3s/k3s.yaml
sudo chmod 600 /etc/rancher/k3s/k3s.yaml
