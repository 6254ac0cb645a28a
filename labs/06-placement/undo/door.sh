# on: server
# user: student
# Without the label on any node ServiceLB may take all of them, or none (k3s-io/klipper-lb#73). So all have it.
kubectl label --overwrite nodes --all svccontroller.k3s.cattle.io/enablelb=true
until [ "$(kubectl get pods --namespace=kube-system --selector="svccontroller.k3s.cattle.io/svcname=api" --output=name | wc -l)" -gt 1 ]; do sleep 0.2; done
