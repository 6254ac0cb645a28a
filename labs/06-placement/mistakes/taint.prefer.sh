# on: server
# user: student
# task: 06.taint
# verdict: fail
# diagnosis: taint-effect
# A wish, not a rule.
kubectl patch node edge1 --type=merge --patch '{"spec": {"taints": null}}'
kubectl taint node edge1 device="$LAB_DEVICE":PreferNoSchedule
