# on: server
# user: student
# task: 06.taint
# verdict: fail
# diagnosis: label-instead
# A label keeps nobody away.
kubectl patch node edge1 --type=merge --patch '{"spec": {"taints": null}}'
kubectl label --overwrite node edge1 device="$LAB_DEVICE"
