# on: server
# user: student
kubectl label --overwrite node edge1 tier=edge site="$LAB_SITE_A"
kubectl label --overwrite node edge2 tier=edge site="$LAB_SITE_B"
