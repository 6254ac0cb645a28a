# on: server
# user: student
# task: 02.deploy
# verdict: fail
# diagnosis: bare-pods
# Pods made by hand: nothing makes them again.
kubectl delete deployments,statefulsets,pods --all --namespace="$LAB_NAMESPACE"
kubectl delete deployment/web --namespace=default --ignore-not-found
for number in $(seq "$LAB_REPLICAS"); do
    kubectl run "shop-$number" --image=course/web:1 --namespace="$LAB_NAMESPACE"
done
kubectl wait pod/shop-1 --for=condition=Ready --timeout=60s --namespace="$LAB_NAMESPACE"
