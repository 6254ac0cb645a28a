# on: server
# user: student
# task: 07.retired
# verdict: fail
# diagnosis: objects-remain
# Only the file was removed, while everything was there.
kubectl create deployment old-till --image=course/web:1 --namespace=default
kubectl create service clusterip old-till --tcp=80:8080 --namespace=default
kubectl create configmap old-till-rates --namespace=kube-system
