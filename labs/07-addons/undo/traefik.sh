# on: server
# user: student
# Also what a mistake may have changed: the packaged file is written anew from a copy, as K3s does at a start.
kubectl delete helmchartconfig/traefik helmchartconfig/traefik-access --ignore-not-found --namespace=kube-system
kubectl delete helmchartconfig/traefik --ignore-not-found --namespace=default
if sudo test -e /root/traefik.yaml; then
    sudo mv /root/traefik.yaml /var/lib/rancher/k3s/server/manifests/traefik.yaml
    sudo touch /var/lib/rancher/k3s/server/manifests/traefik.yaml
fi
