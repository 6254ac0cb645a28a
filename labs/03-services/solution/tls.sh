# on: server
# user: student
cd ~/work
openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj "/CN=$LAB_HOST" -addext "subjectAltName=DNS:$LAB_HOST" -keyout tls.key -out tls.crt
kubectl create secret tls shop-tls --cert=tls.crt --key=tls.key --namespace="$LAB_NAMESPACE" --dry-run=client --output=yaml | kubectl apply -f -
kubectl patch ingress/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  tls:
    - hosts: [$LAB_HOST]
      secretName: shop-tls
YAML
