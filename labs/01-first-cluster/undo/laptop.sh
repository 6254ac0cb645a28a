# on: server
# user: student
rm -f ~/work/laptop.yaml
