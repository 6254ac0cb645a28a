# on: server
# user: student
# task: 02.crash
# verdict: fail
# diagnosis: symptom
# That it crashes is what one sees, not why.
echo CrashLoopBackOff > ~/work/crash.txt
