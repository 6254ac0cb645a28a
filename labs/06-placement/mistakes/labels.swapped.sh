# on: server
# user: student
# task: 06.labels
# verdict: fail
# diagnosis: sites-swapped
# Each node has the name of the other place.
kubectl label --overwrite node edge1 site="$LAB_SITE_B"
kubectl label --overwrite node edge2 site="$LAB_SITE_A"
