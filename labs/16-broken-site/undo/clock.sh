# on: server
# user: root
set -eu
timedatectl set-ntp false
date --set="+400 days"
