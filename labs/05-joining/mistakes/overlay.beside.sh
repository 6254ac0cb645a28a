# on: server
# user: student
# task: 05.overlay
# verdict: fail
# diagnosis: visitor-elsewhere
# On the same machine: no packet leaves it.
kubectl delete pod/visitor --now --namespace="$LAB_NAMESPACE"
kubectl apply -f - <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: visitor
  namespace: $LAB_NAMESPACE
spec:
  nodeSelector:
    kubernetes.io/hostname: edge2
  containers:
    - name: tools
      image: course/tools:1
YAML
kubectl wait pod/visitor --for=condition=Ready --namespace="$LAB_NAMESPACE" --timeout=60s
