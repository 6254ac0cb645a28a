# on: server
# user: student
# task: 06.door
# verdict: fail
# diagnosis: other-nodes-too
# One node too many.
kubectl label --overwrite nodes --all svccontroller.k3s.cattle.io/enablelb=true
