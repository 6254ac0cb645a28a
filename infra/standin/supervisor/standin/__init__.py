"""The K3s stand-in's supervisor: it runs inside a machine and starts upstream Kubernetes the way K3s does.

cli         which command was asked for
usage, check_config      `k3s server --help`, `k3s check-config`
config      flags, environment, config.yaml and config.yaml.d, with K3s's precedence
layout      where K3s keeps its files
certs       certificate authorities and certificates below server/tls
tokens, server_tokens, bootstrap_tokens, token_command   what lets nodes in, and `k3s token`
node_password            what keeps a node's name its own
access      kubeconfig files
containers  containerd: its configuration and the images it is given
components  the flags of the Kubernetes components
network     pod ranges and the routes between nodes
children    the processes below us, and systemd
api         requests to the API server
nodes       what is written on our Node
deploy      packaged components and manifests
servicelb   host ports for Services of type LoadBalancer
endpoints   what a server answers to nodes that join
joining     what an agent asks its server
running     what server and agent have in common
server      `k3s server`: the order of it all
agent       `k3s agent`: likewise
"""
