"""Where things are, after K3s (pkg/datadir/datadir.go, pkg/daemons/control/deps/deps.go, docs.k3s.io/reference)."""

from __future__ import annotations

from pathlib import Path

HOME = Path("/opt/k3s-standin")  # this stand-in: bin/, images/, manifests/, supervisor/; read-only
BIN = HOME / "bin"
CNI_BIN = Path("/usr/lib/cni")  # Debian's containernetworking-plugins

ETC = Path("/etc/rancher/k3s")
CONFIG = ETC / "config.yaml"
KUBECONFIG = ETC / "k3s.yaml"
NODE_PASSWORD = Path("/etc/rancher/node/password")
NODE_ID = Path("/etc/rancher/node/id")

DATA = Path("/var/lib/rancher/k3s")
SERVER = DATA / "server"
TLS = SERVER / "tls"
CRED = SERVER / "cred"
PASSWD = CRED / "passwd"  # who may join: password, name, name, role
MANIFESTS = SERVER / "manifests"
DATABASE = SERVER / "db" / "state.db"
TOKEN = SERVER / "token"
NODE_TOKEN = SERVER / "node-token"
AGENT_TOKEN = SERVER / "agent-token"

AGENT = DATA / "agent"
IMAGES = AGENT / "images"
KUBELET_CONFIG = AGENT / "etc" / "kubelet.conf.d"
CNI_CONFIG = AGENT / "etc" / "cni" / "net.d"
CRICTL_CONFIG = AGENT / "etc" / "crictl.yaml"
CONTAINERD_CONFIG = AGENT / "etc" / "containerd" / "config.toml"
CONTAINERD_ROOT = AGENT / "containerd"
LOCAL_STORAGE = DATA / "storage"
# Files that K3s reads when they are there, and this stand-in does not (docs.k3s.io/installation/private-registry, advanced).
UNREAD = (ETC / "registries.yaml", CONTAINERD_CONFIG.with_name("config.toml.tmpl"), CONTAINERD_CONFIG.with_name("config-v3.toml.tmpl"))

RUN = Path("/run/k3s")
CONTAINERD_STATE = RUN / "containerd"
CONTAINERD_SOCKET = CONTAINERD_STATE / "containerd.sock"
KINE_SOCKET = SERVER / "kine.sock"
SUPERVISOR_SOCKET = RUN / "supervisor.sock"  # where the API server passes on what joining nodes ask (modules/kube/supervisor.go)
