# on: server
# user: root
# The evening: the house as it was before the night, and what must still be the same in the morning. What then breaks is below undo/.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
# The house's own firewall. A rule of the security team is always there; the rest comes and goes.
mkdir -p /etc/house
cat > /etc/house/firewall.nft <<NFT
table inet house
delete table inet house
table inet house {
    chain guard {
        type filter hook prerouting priority raw; policy accept;
        tcp dport 23 drop comment "security team: no telnet"
    }
}
NFT
cat > /etc/systemd/system/house-firewall.service <<UNIT
[Unit]
Description=The house's own firewall, /etc/house/firewall.nft
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/house/firewall.nft
ExecReload=/usr/sbin/nft -f /etc/house/firewall.nft
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet house-firewall
systemctl restart house-firewall

# Dana's way in.
install --mode=0600 --owner=student /etc/rancher/k3s/k3s.yaml /home/student/dana.kubeconfig

# When a start was interrupted, this script runs again, and the node may be closed already.
kubectl uncordon server
kubectl taint node server maintenance- || true

# What was there before the night, once.
[ -e /var/lib/courselab/evening.json ] && exit 0
kubectl wait --for=condition=Available deployment --all --timeout=120s --namespace="$LAB_NAMESPACE"
kubectl wait --for=condition=Available deployment --all --timeout=120s --namespace="$LAB_BACK"
mkdir -p /var/lib/courselab
uid() { kubectl get namespace "$1" --output=jsonpath='{.metadata.uid}'; }
cat > /var/lib/courselab/evening.json <<JSON
{"cluster": "$(uid kube-system)", "namespace": "$(uid "$LAB_NAMESPACE")", "back": "$(uid "$LAB_BACK")"}
JSON
