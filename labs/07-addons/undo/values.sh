# on: server
# user: student
# Also what a mistake or another right answer may have said.
job() { kubectl get "job/helm-install-$LAB_RELEASE" --ignore-not-found --output=jsonpath='{.metadata.uid}' --namespace=kube-system; }
# What was scaled by hand keeps Helm from changing it: its Job would fail first.
kubectl get "deployment/$LAB_RELEASE" --output=yaml --show-managed-fields --namespace="$LAB_TARGET" | grep --quiet 'subresource: scale' &&
    kubectl delete "deployment/$LAB_RELEASE" --namespace="$LAB_TARGET"
before=$(job)
said=$(
    kubectl delete "helmchartconfig/$LAB_RELEASE" --ignore-not-found --namespace=kube-system
    kubectl patch "helmchart/$LAB_RELEASE" --type=merge --namespace=kube-system --patch='{"spec": {"valuesContent": null, "set": null, "values": null}}'
)
echo "$said"
[ "${said%"(no change)"}" = "$said" ] || [ "${said#*deleted}" != "$said" ] || exit 0
# A new Job carries it out. What is changed while that runs comes half a minute later.
for _ in $(seq 100); do
    now=$(job)
    [ -z "$now" ] || [ "$now" = "$before" ] || break
    sleep 0.2
done
until kubectl wait --for=condition=Complete "job/helm-install-$LAB_RELEASE" --timeout=60s --namespace=kube-system; do sleep 1; done
