# on: server
# user: student
# task: 02.requests
# verdict: fail
# diagnosis: whole-cores
# Without the m these are whole CPUs.
kubectl set resources deployment/web --requests="cpu=$LAB_CPU,memory=${LAB_MEMORY}Mi" --namespace="$LAB_NAMESPACE"
until kubectl get pods --selector=app=web --namespace="$LAB_NAMESPACE" | grep -q Pending; do sleep 0.5; done
