# on: server
# user: student
# task: 16.wall
# verdict: fail
# diagnosis: rule-remains
# The rule is gone from the file, and the file was not loaded.
sudo sed --in-place '/tcp dport 23/a\        fib daddr type local tcp dport 443 drop' /etc/house/firewall.nft
sudo systemctl reload house-firewall
sudo sed --in-place '/dport 443/d' /etc/house/firewall.nft
