# on: server
# user: student
# task: 06.door
# verdict: fail
# diagnosis: label-value
# The label is there, and its value is not true.
kubectl label --overwrite node "$LAB_DOOR" svccontroller.k3s.cattle.io/enablelb=yes
