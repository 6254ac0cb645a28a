# on: server
# user: student
# task: 16.image
# verdict: fail
# diagnosis: image-tag
# Two letters are in their place again, and there is no such tag.
kubectl set image deployment/shop web=course/web:1.0 --namespace="$LAB_NAMESPACE"
kubectl delete pods --selector=app=shop --namespace="$LAB_NAMESPACE"
