# on: server
# user: student
cd ~/work
file=$LAB_PERSON.kubeconfig
address=$(kubectl get node server --output=jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}')
kubectl get configmap/kube-root-ca.crt --output=jsonpath='{.data.ca\.crt}' > ca.crt
kubectl config --kubeconfig="$file" set-cluster lab --server="https://$address:6443" --certificate-authority=ca.crt --embed-certs
kubectl config --kubeconfig="$file" set-credentials "$LAB_PERSON" --token="$(kubectl create token "$LAB_PERSON" --namespace="$LAB_NAMESPACE" --duration=8h)"
kubectl config --kubeconfig="$file" set-context lab --cluster=lab --user="$LAB_PERSON" --namespace="$LAB_NAMESPACE"
kubectl config --kubeconfig="$file" use-context lab
kubectl --kubeconfig="$file" auth whoami
