# on: server
# user: student
# Also what a mistake may have put there.
kubectl patch node edge1 --type=merge --patch '{"spec": {"taints": null}}'
kubectl label node edge1 device-
