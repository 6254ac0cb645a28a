# on: server
# user: student
# task: 04.config
# verdict: fail
# diagnosis: other-namespace
# kubectl puts it into default when no namespace is named.
kubectl delete configmap/notice --namespace="$LAB_NAMESPACE"
kubectl create configmap notice --from-literal=notice.txt="$LAB_NOTICE"
