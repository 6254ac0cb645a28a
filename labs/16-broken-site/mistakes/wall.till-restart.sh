# on: server
# user: student
# task: 16.wall
# verdict: fail
# diagnosis: comes-back
# The rule is gone from the kernel, and the file has it.
sudo sed --in-place '/tcp dport 23/a\        fib daddr type local tcp dport 443 drop' /etc/house/firewall.nft
