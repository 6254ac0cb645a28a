# on: server
# user: root
# Also what a mistake has changed.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl set resources deployment/orders --requests=cpu=10m,memory=16Mi --namespace="$LAB_BACK"
kubectl delete quota --all --namespace="$LAB_BACK"
kubectl create quota budget --hard=requests.memory=8Mi --namespace="$LAB_BACK"
# A quota counts only what comes after it; the ReplicaSet is told at once that it may not.
kubectl delete pods --selector=app=orders --namespace="$LAB_BACK"
