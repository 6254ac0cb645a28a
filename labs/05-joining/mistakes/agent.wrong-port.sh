# on: edge1
# user: root
# task: 05.agent
# verdict: fail
# diagnosis: wrong-address
# The port of the web, not of K3s.
for unit in k3s k3s-agent; do [ ! -x /usr/local/bin/$unit-uninstall.sh ] || /usr/local/bin/$unit-uninstall.sh; done
# on: server
# user: student
kubectl delete node edge1 --ignore-not-found
umask 077
kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}' > ~/work/.address
sudo cat /var/lib/rancher/k3s/server/node-token > ~/work/.token
# on: edge1
# user: student
INSTALL_K3S_SKIP_START=true K3S_URL="https://$(cat ~/work/.address):443" K3S_TOKEN="$(cat ~/work/.token)" install-k3s.sh
sudo systemctl start --no-block k3s-agent
