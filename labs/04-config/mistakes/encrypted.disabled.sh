# on: server
# user: student
# task: 04.encrypted
# verdict: fail
# diagnosis: disabled
# Off and on is not a way to a new key, and here it was left off.
sudo k3s secrets-encrypt disable
