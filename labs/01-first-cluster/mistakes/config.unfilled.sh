# on: server
# user: student
# task: 01.config
# verdict: fail
# diagnosis: key-differs
# A variable that the shell did not fill in: single quotes.
sudo sed -i '/^node-label:/d' /etc/rancher/k3s/config.yaml
sudo k3s kubectl label node server course-
echo 'node-label: [course=$LAB_WORD]' | sudo tee -a /etc/rancher/k3s/config.yaml
