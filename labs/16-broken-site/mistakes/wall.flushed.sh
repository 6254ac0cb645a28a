# on: server
# user: student
# task: 16.wall
# verdict: fail
# diagnosis: firewall-flushed
# All rules instead of the one.
sudo nft delete table inet house
