"""`k3s server`: everything in the order that makes a pod run soonest.

What needs nothing else starts at once (containerd, kine, the Kubernetes process); certificates are made meanwhile; images
are imported while the API server starts; the other components start when it serves.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from . import access, certs, components, containers, layout, servicelb, tokens
from . import config as configuration
from .api import TROUBLE, Api, Object
from .children import Children, Node, notify
from .config import Config
from .deploy import Deployer, log
from .errors import Refused
from .files import link, write

GC_WHILE_STARTING, GC_AFTERWARDS = 400, 75  # percent of the live heap
STARTING_S = 30.0
SCAN_EVERY_S = 3.0
LARGE = frozenset({"traefik"})  # packaged components that are deployed once their image is there
DATABASE_OPTIONS = "_journal_mode=WAL&_busy_timeout=30000&_synchronous=NORMAL&_txlock=immediate&_stmt_cache_size=20&cache=shared"


class Stopping(Exception):
    """A signal, or a child that ended: the text says which."""


def run(arguments: Sequence[str]) -> int:
    """Run a server until told to stop (0) or until one of its parts ends (1). Raises Refused."""
    config = configuration.read(arguments)
    os.umask(0o077)
    for folder in (layout.DATABASE.parent, layout.CRED, layout.MANIFESTS, layout.AGENT, layout.RUN):
        folder.mkdir(parents=True, exist_ok=True)
    server = Server(config)
    try:
        server.start()
        return server.keep()
    except Stopping as reason:
        log(f"stopping: {reason}")
        return server.stop()


class Server:
    """A server that is starting or runs."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._children = Children()
        self._containerd_answers = threading.Event()  # a kubelet that finds no runtime gives up
        self._images_there = threading.Event()
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        self._signalled = ""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, _ignore)  # only to wake us

    def start(self) -> None:
        """Bring everything up; return when the API server serves and systemd knows."""
        config = self._config
        kube = self._kube = Node(self._children, {"GOGC": str(GC_WHILE_STARTING)})
        containers.configure()
        containers.start(self._children, debug=config.on("debug"))
        self._children.start("kine", _kine(debug=config.on("debug")))
        self._prepare_identity()
        kube.run("kube-apiserver", components.api_server(config), config.verbatim("kube-apiserver-arg"))
        self._in_background("images", self._import_images)
        components.write_kubelet_config(config)
        self._configure_network()
        kube.run("kube-controller-manager", components.controller_manager(config), config.verbatim("kube-controller-manager-arg"))
        kube.run("kube-scheduler", components.scheduler(config), config.verbatim("kube-scheduler-arg"))
        kube.run("kube-proxy", components.kube_proxy(config), config.verbatim("kube-proxy-arg"))
        api = Api()
        api.wait_until("/livez/ping", self._check)
        while not self._containerd_answers.wait(0.05):
            self._check()
        kube.run("kubelet", components.kubelet(config), config.verbatim("kubelet-arg"))
        api.wait_until("/readyz", self._check)
        kube.api_is_ready()
        notify("READY=1")
        self._in_background("node", self._describe_node)
        self._in_background("deploy", self._deploy)
        self._in_background("servicelb", self._serve_load_balancers)

    def keep(self) -> NoReturn:
        """Wait until something ends us, which Stopping says."""
        calm_at = time.monotonic() + STARTING_S
        calm = False
        while True:
            self._check()
            signalled, _, _ = select.select([self._wake], [], [], None if calm else STARTING_S)
            if signalled:
                os.read(self._wake, 64)
            if not calm and time.monotonic() >= calm_at:
                self._kube.pace_garbage_collector(GC_AFTERWARDS)
                calm = True

    def stop(self) -> int:
        """Stop all children, not the containers. Return the exit code: 0 if we were told to."""
        notify("STOPPING=1")
        self._children.stop()
        return 0 if self._signalled else 1

    def _check(self) -> None:
        reason = self._signalled or self._children.ended()
        if reason:
            raise Stopping(reason)

    def _on_signal(self, number: int, _: object) -> None:
        self._signalled = f"got {signal.Signals(number).name}"

    def _in_background(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Stopping:
                pass  # the main thread says why
            except Exception as error:
                log(f"{name}: {type(error).__name__}: {error}")

        threading.Thread(target=guarded, name=name, daemon=True).start()

    def _prepare_identity(self) -> None:
        """Certificates, tokens and kubeconfig files."""
        config = self._config
        certs.ensure_server(config.node_name, config.node_ip, config.all("tls-san"), config.one("cluster-domain"), config.kubernetes_ip)
        certs.ensure_node(config.node_name, config.node_ip)
        _write_tokens(config)
        url, ca = "https://127.0.0.1:6443", layout.TLS / "server-ca.crt"
        for name in ("admin", "supervisor", "controller", "scheduler"):
            access.component(layout.CRED / f"{name}.kubeconfig", layout.TLS / f"client-{name}", server=url, ca=ca)
        for name, certificate in (("kubelet", "client-kubelet"), ("kubeproxy", "client-kube-proxy")):
            access.component(layout.AGENT / f"{name}.kubeconfig", layout.AGENT / certificate, server=url, ca=layout.AGENT / "server-ca.crt")
        access.admin(config)

    def _configure_network(self) -> None:
        """The pod range of this node as it was; at the first start the cluster's first range, which the first node gets."""
        if not any(layout.CNI_CONFIG.glob("*.conflist")):
            containers.configure_network(_first_range(self._config.one("cluster-cidr")))

    def _import_images(self) -> None:
        containers.wait(self._check)
        self._containerd_answers.set()
        for problem in containers.import_images(containers.archives(self._config.disabled)):
            log(problem)
        self._images_there.set()

    def _describe_node(self) -> None:
        """Give our node the labels and annotations that K3s gives a server (pkg/server/server.go, pkg/nodeconfig), once it is there."""
        config, api = self._config, Api()
        path = f"/api/v1/nodes/{config.node_name}"
        api.wait_until(path, self._check)
        labels = {"node-role.kubernetes.io/control-plane": "true", "beta.kubernetes.io/instance-type": "k3s"}
        annotations = {
            "k3s.io/hostname": config.node_name,
            "k3s.io/internal-ip": config.node_ip,
            "k3s.io/node-args": json.dumps(["server", *config.given]),
        }
        node = api.merge(path, {"metadata": {"labels": labels, "annotations": annotations}})
        while not node["spec"].get("podCIDR"):
            self._check()
            time.sleep(0.05)
            node = api.get(path)
        expected = _first_range(config.one("cluster-cidr"))
        if node["spec"]["podCIDR"] != expected:
            log(f"pod range {node['spec']['podCIDR']}")
            containers.configure_network(node["spec"]["podCIDR"])

    def _deploy(self) -> None:
        """Keep what lies in server/manifests applied; what fails is tried again at the next round."""
        config, api = self._config, Api()
        deployer = Deployer(api, config.disabled, _variables(config))
        deployer.stage(later=LARGE)
        everything_staged = False
        while True:
            try:
                deployer.remove_disabled()
                deployer.scan()
                if "coredns" not in config.disabled:
                    _ensure_node_hosts(api, config)
                deployer.record()
            except TROUBLE as error:
                log(f"manifests: {error}")
            self._check()
            if everything_staged:
                time.sleep(SCAN_EVERY_S)
            elif self._images_there.wait(SCAN_EVERY_S):  # a pod that does not find its image waits ten seconds
                deployer.stage()
                everything_staged = True

    def _serve_load_balancers(self) -> None:
        if "servicelb" in self._config.disabled:
            servicelb.remove_all()
        else:
            servicelb.ServiceLB(self._check).run()


def _ignore(_number: int, _frame: object) -> None:
    pass


def _kine(*, debug: bool) -> list[str]:
    return [
        f"{layout.BIN}/kine", "--endpoint", f"sqlite://{layout.DATABASE}?{DATABASE_OPTIONS}", "--listen-address", f"unix://{layout.KINE_SOCKET}",
        "--metrics-bind-address", "0", *(["--debug"] if debug else []),
    ]  # fmt: skip


def _write_tokens(config: Config) -> None:
    """server/token and its links; the password is the one given, else the one there, else a new one (docs.k3s.io/cli/token)."""
    ca = (layout.TLS / "server-ca.crt").read_bytes()
    there = tokens.parse(layout.TOKEN.read_text()).password if layout.TOKEN.exists() else ""
    password = tokens.parse(config.token).password or there or tokens.new_password()
    if there and password != there:
        raise Refused("the token differs from the one this server was first started with: /var/lib/rancher/k3s/server/token")
    write(layout.TOKEN, f"{tokens.full(ca, 'server', password)}\n".encode())
    link(layout.NODE_TOKEN, layout.TOKEN)
    agent_password = tokens.parse(config.agent_token).password
    if agent_password:
        layout.AGENT_TOKEN.unlink(missing_ok=True)
        write(layout.AGENT_TOKEN, f"{tokens.full(ca, 'node', agent_password)}\n".encode())
    else:
        link(layout.AGENT_TOKEN, layout.TOKEN)
    users = f"{agent_password or password},node,node,k3s:agent\n{password},server,server,k3s:server\n"
    write(layout.CRED / "passwd", users.encode())


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


def _first_range(cluster_cidr: str) -> str:
    return f"{cluster_cidr.split('/', maxsplit=1)[0]}/24"
