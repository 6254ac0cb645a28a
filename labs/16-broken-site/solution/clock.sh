# on: server
# user: student
sudo timedatectl set-ntp true
until timedatectl show --property=NTPSynchronized | grep --quiet yes; do sleep 1; done
