# on: server
# user: student
# task: 01.laptop
# verdict: fail
# diagnosis: insecure
# The question whether it is the right cluster is not asked any more.
sed -i 's/certificate-authority-data: .*/insecure-skip-tls-verify: true/' ~/work/laptop.yaml
