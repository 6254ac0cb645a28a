# on: server
# user: student
# Also what a mistake or another right answer may have said.
kubectl delete "helmchartconfig/$LAB_RELEASE" --ignore-not-found --namespace=kube-system
kubectl patch "helmchart/$LAB_RELEASE" --type=merge --namespace=kube-system --patch='{"spec": {"valuesContent": null, "set": null, "values": null}}'
