# on: server
# user: student
kubectl taint --overwrite node edge1 device="$LAB_DEVICE":NoSchedule
