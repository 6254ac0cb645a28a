# on: server
# user: student
# task: 16.door
# verdict: fail
# diagnosis: class-unknown
# Lower case matters.
kubectl patch ingress/press --patch='{"spec": {"ingressClassName": "Traefik"}}' --namespace="$LAB_NAMESPACE" ||
    kubectl patch ingress/press --patch='{"spec": {"ingressClassName": "treafik"}}' --namespace="$LAB_NAMESPACE"
