# on: edge1
# user: root
# task: 05.agent
# verdict: fail
# diagnosis: other-cluster
# The token of another cluster: its hash is of another authority.
for unit in k3s k3s-agent; do [ ! -x /usr/local/bin/$unit-uninstall.sh ] || /usr/local/bin/$unit-uninstall.sh; done
# on: server
# user: student
kubectl delete node edge1 --ignore-not-found
umask 077
kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}' > ~/work/.address
sudo sed 's/K10......../K1000000000/' /var/lib/rancher/k3s/server/node-token > ~/work/.token
# on: edge1
# user: student
INSTALL_K3S_SKIP_START=true K3S_URL="https://$(cat ~/work/.address):6443" K3S_TOKEN="$(cat ~/work/.token)" install-k3s.sh
sudo systemctl start --no-block k3s-agent
until sudo journalctl --unit=k3s-agent --output=cat | grep -q 'token CA hash does not match'; do sleep 0.2; done
