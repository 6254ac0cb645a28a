# on: server
# user: root
# Also what a mistake has changed.
set -eu
# What is sent to the machine itself: the API server's Service has port 443, too, and pods need it.
cat > /etc/house/firewall.nft <<NFT
table inet house
delete table inet house
table inet house {
    chain guard {
        type filter hook prerouting priority raw; policy accept;
        tcp dport 23 drop comment "security team: no telnet"
        fib daddr type local tcp dport 443 drop comment "added 02:14"
    }
}
NFT
systemctl enable --quiet house-firewall
systemctl reload house-firewall
