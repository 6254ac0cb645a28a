# on: server
# user: student
# Where encryption was switched off, it is switched on first, and the API server gets time to notice.
if sudo k3s secrets-encrypt status | grep -q Disabled; then
    sudo k3s secrets-encrypt enable
    sleep 10
fi
sudo k3s secrets-encrypt rotate-keys
sudo timeout 60 sh -c 'until k3s secrets-encrypt status | grep -q reencrypt_finished; do sleep 1; done'
