# on: server
# user: student
kubectl patch ingress/press --patch='{"spec": {"ingressClassName": "traefik"}}' --namespace="$LAB_NAMESPACE"
