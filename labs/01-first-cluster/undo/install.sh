# on: server
# user: student
sudo systemctl disable --now k3s
