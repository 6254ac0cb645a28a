# on: server
# user: student
# task: 02.deploy
# verdict: fail
# diagnosis: bare-pods
# Pods made by hand: nothing makes them again.
kubectl delete deployment/web --namespace="$LAB_NAMESPACE"
for number in $(seq "$LAB_REPLICAS"); do
    kubectl run "web-$number" --image=course/web:1 --namespace="$LAB_NAMESPACE"
done
kubectl wait pod/web-1 --for=condition=Ready --timeout=60s --namespace="$LAB_NAMESPACE"
