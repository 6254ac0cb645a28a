# on: server
# user: student
# task: 16.quota
# verdict: fail
# diagnosis: budget-deleted
# No budget, no limit.
kubectl delete quota/budget --namespace="$LAB_BACK"
