"""`k3s server --help` and `k3s agent --help`: the flags there are, each also a key of config.yaml (docs.k3s.io/cli/server, cli/agent)."""

from __future__ import annotations

from collections.abc import Sequence

from .config import Flag

WORDS = {
    "config": "file with the configuration; the folder FILE.d is read, too",
    "debug": "more in the log",
    "v": "how much the components log",
    "token": "what lets nodes into the cluster",
    "token-file": "file with the token",
    "server": "https:// address of the server to join",
    "node-name": "name of the node",
    "with-node-id": "add a number to the node's name",
    "node-ip": "address of the node",
    "node-label": "label of the node, KEY=VALUE",
    "node-taint": "taint of the node when it registers, KEY=VALUE:EFFECT",
    "kubelet-arg": "flag for the kubelet, NAME=VALUE",
    "kube-proxy-arg": "flag for kube-proxy, NAME=VALUE",
    "resolv-conf": "resolv.conf for the kubelet",
    "agent-token": "what lets agents into the cluster, and no servers",
    "agent-token-file": "file with the agents' token",
    "write-kubeconfig": "where the administrator's kubeconfig is written",
    "write-kubeconfig-mode": "its file mode",
    "write-kubeconfig-group": "its group",
    "tls-san": "one more host name or address for the server's certificate",
    "advertise-address": "address of the API server that is told to pods",
    "cluster-cidr": "addresses for pods",
    "service-cidr": "addresses for Services",
    "service-node-port-range": "ports for Services of type NodePort",
    "cluster-dns": "address of the cluster's name server",
    "cluster-domain": "domain of the cluster",
    "default-local-storage-path": "folder for volumes of the class local-path",
    "disable": "packaged component to leave away: coredns, servicelb, traefik, local-storage, metrics-server, runtimes",
    "disable-helm-controller": "no HelmCharts",
    "disable-network-policy": "no network policy controller",
    "kube-apiserver-arg": "flag for the API server, NAME=VALUE",
    "kube-controller-manager-arg": "flag for the controller manager, NAME=VALUE",
    "kube-scheduler-arg": "flag for the scheduler, NAME=VALUE",
    "secrets-encryption": "encrypt Secrets in the datastore",
    "secrets-encryption-provider": "how: aescbc or secretbox",
}


def usage(command: str, flags: Sequence[Flag]) -> str:
    """What `k3s COMMAND --help` prints."""
    rows = [(_left(flag), _right(flag)) for flag in flags]
    width = max(len(left) for left, _ in rows)
    lines = "\n".join(f"   {left:<{width}}  {right}" for left, right in rows)
    return (
        f"usage: k3s {command} [flags]\n\n"
        "A flag is also a key of /etc/rancher/k3s/config.yaml, without its dashes. Those marked * may be given several times: a list there.\n\n"
        f"{lines}\n"
    )


def _left(flag: Flag) -> str:
    short = f", -{flag.short}" if flag.short and flag.name != "v" else ""
    value = "" if flag.switch else " value"
    return f"{'-v' if flag.name == 'v' else f'--{flag.name}'}{short}{value}"


def _right(flag: Flag) -> str:
    notes = ", ".join([*([f"default: {flag.default}"] if flag.default else []), *([f"${flag.env}"] if flag.env else [])])
    return f"{'* ' if flag.many else ''}{WORDS[flag.name]}{f' ({notes})' if notes else ''}"
