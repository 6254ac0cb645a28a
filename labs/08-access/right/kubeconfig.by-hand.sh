# on: server
# user: student
# Written as a file, with the server's name.
cd ~/work
cat > "$LAB_PERSON.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: $LAB_PERSON
clusters:
  - name: k3s
    cluster:
      server: https://$(hostname --all-ip-addresses | cut -d' ' -f1):6443
      certificate-authority-data: $(kubectl config view --raw --minify --output=jsonpath='{.clusters[0].cluster.certificate-authority-data}')
users:
  - name: $LAB_PERSON
    user:
      token: $(kubectl create token "$LAB_PERSON" --namespace="$LAB_NAMESPACE" --duration=24h)
contexts:
  - name: $LAB_PERSON
    context: {cluster: k3s, user: $LAB_PERSON}
YAML
