# on: server
# user: student
# task: 02.deploy
# verdict: fail
# diagnosis: image-name
# Two letters of the image's name changed places.
kubectl delete deployments,statefulsets,pods --all --namespace="$LAB_NAMESPACE"
kubectl delete deployment/web --namespace=default --ignore-not-found
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: $LAB_NAMESPACE
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: course/wbe:1
YAML
until kubectl get pods --selector=app=web --namespace="$LAB_NAMESPACE" | grep -q -e ErrImagePull -e ImagePullBackOff; do sleep 0.5; done
