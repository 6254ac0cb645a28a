# on: server
# user: student
rm -f ~/work/crash.txt
