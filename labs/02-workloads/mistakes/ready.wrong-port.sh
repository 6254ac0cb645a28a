# on: server
# user: student
# task: 02.ready
# verdict: fail
# diagnosis: probe-port
# The probe asks the port that the image listens on by itself, not the one that it was told.
kubectl patch deployment/web --namespace="$LAB_NAMESPACE" --patch-file=/dev/stdin <<YAML
spec:
  template:
    spec:
      containers:
        - name: web
          readinessProbe:
            httpGet:
              path: /readyz
              port: 8080
            periodSeconds: 2
YAML
until kubectl get events --field-selector=reason=Unhealthy --namespace="$LAB_NAMESPACE" | grep -q ":8080/readyz"; do sleep 0.5; done
