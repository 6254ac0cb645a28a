# on: edge1
# user: root
# task: 06.labels
# verdict: fail
# diagnosis: node-role-in-config
# A role that a node gives itself: the kubelet refuses it, and K3s on the node ends (k3s-io/k3s#10916).
mkdir -p /etc/rancher/k3s/config.yaml.d
echo 'node-label+: [node-role.kubernetes.io/edge=true]' > /etc/rancher/k3s/config.yaml.d/role.yaml
systemctl restart --no-block k3s-agent
until journalctl --unit=k3s-agent --lines=20 --output=cat | grep -q "labels specified with --node-labels"; do sleep 0.5; done
