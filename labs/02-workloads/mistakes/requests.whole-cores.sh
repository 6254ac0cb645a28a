# on: server
# user: student
# task: 02.requests
# verdict: fail
# diagnosis: whole-cores
# Without the m these are whole CPUs.
kubectl set resources deployment/web --requests="cpu=$LAB_CPU,memory=${LAB_MEMORY}Mi" --namespace="$LAB_NAMESPACE"
kubectl wait pods --selector=app=web --for=condition=PodScheduled=False --timeout=30s --namespace="$LAB_NAMESPACE"
