# on: server
# user: student
kubectl apply -f - <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: visitor
  namespace: $LAB_NAMESPACE
spec:
  nodeSelector:
    kubernetes.io/hostname: edge1
  containers:
    - name: tools
      image: course/tools:1
YAML
kubectl wait pod/visitor --for=condition=Ready --namespace="$LAB_NAMESPACE" --timeout=60s
kubectl rollout status deployment/shop --namespace="$LAB_NAMESPACE" --timeout=60s
