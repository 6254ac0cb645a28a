# on: server
# user: student
# task: 03.tls
# verdict: fail
# diagnosis: certificate-name
# The certificate is for another name.
cd ~/work
openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj "/CN=shop.example.com" -addext "subjectAltName=DNS:shop.example.com" -keyout tls.key -out tls.crt
kubectl create secret tls shop-tls --cert=tls.crt --key=tls.key --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
