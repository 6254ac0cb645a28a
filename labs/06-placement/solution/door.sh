# on: server
# user: student
kubectl label nodes --all svccontroller.k3s.cattle.io/enablelb-
kubectl label node "$LAB_DOOR" svccontroller.k3s.cattle.io/enablelb=true
until [ "$(kubectl get pods --namespace=kube-system --selector="svccontroller.k3s.cattle.io/svcname=api" --output=jsonpath='{.items[*].spec.nodeName}')" = "$LAB_DOOR" ]; do
    sleep 0.2
done
