# on: server
# user: root
set -eu
fallocate --length="$(( $(df --output=avail --block-size=1 /var/lib | tail -n 1) - 200000000 ))" /var/log/core.dump
