# on: edge1
# user: root
# K3s gives its node the labels of its configuration at each start.
mkdir -p /etc/rancher/k3s/config.yaml.d
echo "node-label+: [tier=edge, site=$LAB_SITE_A]" > /etc/rancher/k3s/config.yaml.d/role.yaml
systemctl restart k3s-agent
# on: server
# user: student
kubectl label --overwrite node edge2 tier=edge site="$LAB_SITE_B"
until kubectl get nodes --selector="site=$LAB_SITE_A" --output=name | grep -q node/edge1; do sleep 0.2; done
