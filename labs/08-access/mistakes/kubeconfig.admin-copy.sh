# on: server
# user: student
# task: 08.kubeconfig
# verdict: fail
# diagnosis: admin
# K3s's own kubeconfig is the administrator's.
cd ~/work
address=$(kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}')
sudo cat /etc/rancher/k3s/k3s.yaml | sed "s/127.0.0.1/$address/" > "$LAB_PERSON.kubeconfig"
