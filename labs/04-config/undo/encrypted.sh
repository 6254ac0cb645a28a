# on: server
# user: student
# A key that is gone does not come back; what can be taken back is the encryption. The API server gets time to notice.
sudo k3s secrets-encrypt disable
sleep 5
