# on: server
# user: student
# task: 01.config
# verdict: fail
# diagnosis: kubectl-only
# On the node, and nowhere else.
sudo sed -i '/^node-label:/d' /etc/rancher/k3s/config.yaml
sudo k3s kubectl label --overwrite node server course="$LAB_WORD"
