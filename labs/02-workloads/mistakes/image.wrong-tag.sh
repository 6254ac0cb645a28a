# on: server
# user: student
# task: 02.image
# verdict: fail
# diagnosis: image-tag
# The version is called 2, not v2.
kubectl set image deployment/web web=course/web:v2 --namespace="$LAB_NAMESPACE"
until kubectl get pods --selector=app=web --namespace="$LAB_NAMESPACE" | grep -q -e ErrImagePull -e ImagePullBackOff; do sleep 0.5; done
