# on: server
# user: student
kubectl logs deployment/ledger --namespace=accounts
echo "$LAB_MISSING" > ~/work/crash.txt
