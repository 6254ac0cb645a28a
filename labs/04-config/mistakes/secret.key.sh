# on: server
# user: student
# task: 04.secret
# verdict: fail
# diagnosis: key-missing
# The Secret has no key of this name.
kubectl patch deployment/shop --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          env:
            - name: TILL_PASSWORD
              valueFrom:
                secretKeyRef:
                  name: till
                  key: TILL_PASSWORD
YAML
