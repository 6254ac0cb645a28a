# on: server
# user: student
# They come by themselves, if nobody keeps them away.
if sudo grep -q '^disable:' /etc/rancher/k3s/config.yaml; then
    sudo sed -i '/^disable:/d' /etc/rancher/k3s/config.yaml
    sudo systemctl restart k3s
fi
for name in coredns local-path-provisioner metrics-server traefik; do
    until sudo k3s kubectl get deployment/$name --namespace=kube-system >/dev/null 2>&1; do sleep 0.3; done
    sudo k3s kubectl wait deployment/$name --for=condition=Available --namespace=kube-system --timeout=120s
done
