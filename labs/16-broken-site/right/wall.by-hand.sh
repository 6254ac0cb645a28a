# on: server
# user: student
# Gone from the kernel by its handle, and commented out in the file.
handle=$(sudo nft --handle list chain inet house guard | sed --quiet 's/.*dport 443 .*# handle //p')
sudo nft delete rule inet house guard handle "$handle"
sudo sed --in-place 's/^.*dport 443/# &/' /etc/house/firewall.nft
