# on: server
# user: student
sudo rm /var/log/core.dump
kubectl wait --for=condition=DiskPressure=false node/server --timeout=280s
