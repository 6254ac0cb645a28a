# on: server
# user: student
# task: 02.crash
# verdict: fail
# diagnosis: other-place
# The right answer in the wrong folder.
rm -f ~/work/crash.txt
echo "$LAB_MISSING" > ~/crash.txt
