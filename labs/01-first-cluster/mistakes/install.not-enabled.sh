# on: server
# user: student
# task: 01.install
# verdict: fail
# diagnosis: not-enabled
# It runs, until the machine is started again.
sudo systemctl disable k3s
