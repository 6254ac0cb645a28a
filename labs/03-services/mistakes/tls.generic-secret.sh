# on: server
# user: student
# task: 03.tls
# verdict: fail
# diagnosis: secret-keys
# The files' own names became the Secret's keys.
cd ~/work
kubectl create secret generic shop-files --from-file=cert.pem=tls.crt --from-file=key.pem=tls.key --namespace="$LAB_NAMESPACE"
kubectl patch ingress/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  tls:
    - hosts: [$LAB_HOST]
      secretName: shop-files
YAML
