# on: server
# user: student
# task: 01.config
# verdict: fail
# diagnosis: not-read-yet
# In the file, and K3s has not read it.
sudo sed -i '/^node-label:/d' /etc/rancher/k3s/config.yaml
sudo k3s kubectl label node server course-
echo "node-label: [course=$LAB_WORD]" | sudo tee -a /etc/rancher/k3s/config.yaml
