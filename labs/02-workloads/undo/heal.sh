# on: server
# user: student
# No new pod may come; those that run stay.
kubectl create quota no-more-pods --hard=pods=0 --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
