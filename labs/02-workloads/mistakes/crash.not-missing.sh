# on: server
# user: student
# task: 02.crash
# verdict: fail
# diagnosis: not-missing
# One of the settings that are there.
echo LEDGER_URL > ~/work/crash.txt
