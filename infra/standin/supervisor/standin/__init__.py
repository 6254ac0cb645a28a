"""The K3s stand-in's supervisor: it runs inside a machine and starts upstream Kubernetes the way K3s does.

cli         which command was asked for
config      flags, environment, config.yaml and config.yaml.d, with K3s's precedence
layout      where K3s keeps its files
certs       certificate authorities and certificates below server/tls
tokens      K10 tokens
access      kubeconfig files
containers  containerd: its configuration and the images it is given
components  the flags of the Kubernetes components
children    the processes below us, and systemd
api         requests to the API server
deploy      packaged components and manifests
servicelb   host ports for Services of type LoadBalancer
server      `k3s server`: the order of it all
"""
