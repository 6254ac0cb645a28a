"""`k3s server`: everything in the order that makes a pod run soonest.

What needs nothing else starts at once (containerd, kine, the Kubernetes process); certificates are made meanwhile; images
are imported while the API server starts; the other components start when it serves.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

from . import (
    access,
    certs,
    components,
    containers,
    encryption,
    endpoints,
    helmcharts,
    layout,
    network,
    node_password,
    nodes,
    server_tokens,
    servicelb,
)
from . import config as configuration
from .api import TROUBLE, Api, Object, as_supervisor
from .children import notify
from .config import Config
from .deploy import Deployer, log
from .errors import Refused
from .running import Running

SCAN_EVERY_S = 3.0
LARGE = ("traefik", "metrics-server")  # packaged components that are deployed once their image is there, in the order of images
DATABASE_OPTIONS = "_journal_mode=WAL&_busy_timeout=30000&_synchronous=NORMAL&_txlock=immediate&_stmt_cache_size=20&cache=shared"


def run(arguments: Sequence[str]) -> int:
    """Run a server until told to stop (0) or until one of its parts ends (1). Raises Refused."""
    config = configuration.read(arguments)
    if config.one("server"):
        raise Refused("--server: the K3s stand-in has one server; other machines join it as agents, with `k3s agent`")
    os.umask(0o077)
    for folder in (layout.DATABASE.parent, layout.CRED, layout.MANIFESTS, layout.AGENT, layout.RUN):
        folder.mkdir(parents=True, exist_ok=True)
    return Server(config).run()


class Server(Running):
    """A server that is starting or runs."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        self._containerd_answers = threading.Event()  # a kubelet that finds no runtime gives up
        self._images_imported = threading.Event()
        self._image_there = {name: threading.Event() for name in LARGE}
        self._may_join = threading.Event()  # our own node has the cluster's first pod range

    def start(self) -> None:
        """Bring everything up; return when the API server serves and systemd knows."""
        config = self._config
        kube = self.start_kube()
        containers.configure()
        containers.start(self._children, debug=config.on("debug"))
        self._children.start("kine", _kine(debug=config.on("debug")))
        self._prepare_identity()
        endpoints.serve(endpoints.Endpoints(config, self._may_join))
        kube.run("kube-apiserver", components.api_server(config), config.verbatim("kube-apiserver-arg"))
        self.in_background("images", self._import_images)
        components.write_kubelet_config(config)
        self._configure_network()
        kube.run("kube-controller-manager", components.controller_manager(config), config.verbatim("kube-controller-manager-arg"))
        kube.run("kube-scheduler", components.scheduler(config), config.verbatim("kube-scheduler-arg"))
        kube.run("kube-proxy", components.kube_proxy(config), config.verbatim("kube-proxy-arg"))
        api = Api()
        api.wait_until("/livez/ping", self.check)
        self.wait_for(self._images_imported if containers.unpacks_in_memory() else self._containerd_answers)
        kube.run("kubelet", components.kubelet(config), config.verbatim("kubelet-arg"))
        api.wait_until("/readyz", self.check)
        kube.api_is_ready()
        notify("READY=1")
        self.in_background("node", self._describe_node)
        self.in_background("deploy", self._deploy)
        self.in_background("servicelb", self._serve_load_balancers)
        self.in_background("helm", lambda: helmcharts.run(kube, config, self.check))

    def _prepare_identity(self) -> None:
        """Certificates, tokens and kubeconfig files."""
        config = self._config
        certs.ensure_server(config.node_name, config.node_ip, config.all("tls-san"), config.one("cluster-domain"), config.kubernetes_ip)
        certs.ensure_node(config.node_name, config.node_ip)
        server_tokens.keep(config)
        encryption.prepare(
            encrypts=config.on("secrets-encryption"), provider=config.one("secrets-encryption-provider"), node_name=config.node_name
        )
        url, ca = "https://127.0.0.1:6443", layout.TLS / "server-ca.crt"
        for name in ("admin", "supervisor", "controller", "scheduler"):
            access.component(layout.CRED / f"{name}.kubeconfig", layout.TLS / f"client-{name}", server=url, ca=ca)
        for name, certificate in (("kubelet", "client-kubelet"), ("kubeproxy", "client-kube-proxy")):
            access.component(layout.AGENT / f"{name}.kubeconfig", layout.AGENT / certificate, server=url, ca=layout.AGENT / "server-ca.crt")
        access.admin(config)

    def _configure_network(self) -> None:
        """The pod range of this node as it was; at the first start the cluster's first range, which the first node gets."""
        network.prepare(self._config.one("cluster-cidr"))
        if not any(layout.CNI_CONFIG.glob("*.conflist")):
            network.configure_pods(_first_range(self._config.one("cluster-cidr")))

    def _import_images(self) -> None:
        containers.wait(self.check)
        self._containerd_answers.set()
        try:
            for problem in containers.import_images(containers.archives(self._config.disabled), self._note_image):
                log(problem)
        finally:
            for event in (*self._image_there.values(), self._images_imported):
                event.set()

    def _note_image(self, name: str) -> None:
        if name in self._image_there:
            self._image_there[name].set()

    def _describe_node(self) -> None:
        """Give our node what K3s gives a server, and let others join once it has its pod range; from here on follow all nodes."""
        config, api = self._config, Api()
        api.wait_until(nodes.path_of(config), self.check)
        annotations = {encryption.ANNOTATION: encryption.kept_state()} if config.on("secrets-encryption") else {}
        nodes.describe(api, config, "server", labels={"node-role.kubernetes.io/control-plane": "true"}, annotations=annotations)
        followed = network.Nodes(as_supervisor(), config.node_name, self.check, on_gone=_forget_node)
        self.in_background("nodes", followed.run)
        self.wait_for(followed.own_range)
        self._may_join.set()
        api.wait_until("/api/v1/namespaces/kube-system", self.check)
        node_password.ensure(api, config.node_name, node_password.own())

    def _deploy(self) -> None:
        """Keep what lies in server/manifests applied; what fails is tried again at the next round."""
        config, api = self._config, Api()
        helmcharts.stage_charts()
        deployer = Deployer(api, config.disabled, _variables(config))
        later = list(LARGE)
        deployer.stage(later=set(later))
        while True:
            try:
                deployer.remove_disabled()
                deployer.scan()
                if "coredns" not in config.disabled:
                    _ensure_node_hosts(api, config)
                deployer.record()
            except (*TROUBLE, ValueError) as error:
                log(f"manifests: {error}")
            self.check()
            if not later:
                time.sleep(SCAN_EVERY_S)
            elif self._image_there[later[0]].wait(SCAN_EVERY_S):  # a pod that does not find its image waits ten seconds
                later.pop(0)
                deployer.stage(later=set(later))

    def _serve_load_balancers(self) -> None:
        if "servicelb" in self._config.disabled:
            servicelb.remove_all()
        else:
            servicelb.ServiceLB(self.check).run()


def _kine(*, debug: bool) -> list[str]:
    return [
        f"{layout.BIN}/kine", "--endpoint", f"sqlite://{layout.DATABASE}?{DATABASE_OPTIONS}", "--listen-address", f"unix://{layout.KINE_SOCKET}",
        "--metrics-bind-address", "0", *(["--debug"] if debug else []),
    ]  # fmt: skip


def _variables(config: Config) -> dict[str, str]:
    """What K3s fills into its packaged manifests (pkg/server/server.go, stageFiles)."""
    return {
        "CLUSTER_DNS": config.cluster_dns,
        "CLUSTER_DOMAIN": config.one("cluster-domain"),
        "DEFAULT_LOCAL_STORAGE_PATH": config.one("default-local-storage-path"),
    }


def _ensure_node_hosts(api: Api, config: Config) -> None:
    """Names of nodes for CoreDNS: key NodeHosts of its ConfigMap (pkg/node/controller.go)."""
    hosts = {config.node_name: config.node_ip}
    nodes: list[Object] = api.get("/api/v1/nodes")["items"]
    for node in nodes:
        addresses: list[dict[str, str]] = node.get("status", {}).get("addresses", [])
        for address in (address["address"] for address in addresses if address["type"] == "InternalIP"):
            hosts[node["metadata"]["name"]] = address
    text = "".join(f"{address} {name}\n" for name, address in sorted(hosts.items()))
    thing: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "data": {"NodeHosts": text},
    }
    api.apply("/api/v1/namespaces/kube-system/configmaps/coredns", thing, "node@k3s")


def _forget_node(name: str) -> None:
    node_password.forget(Api(), name)


def _first_range(cluster_cidr: str) -> str:
    return f"{cluster_cidr.split('/', maxsplit=1)[0]}/24"
