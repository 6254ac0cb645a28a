"""`k3s agent`: a node without a control plane, which its server lets in (docs.k3s.io/cli/agent, pkg/agent/run.go).

containerd starts and reads its images while the server is asked; the kubelet starts when both are done, so that no pod looks for an
image that is about to be there.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Sequence

from . import access, components, containers, joining, journal, layout, network, nodes
from . import config as configuration
from .api import TROUBLE, Access, Api
from .children import notify
from .config import AGENT_FLAGS, Config
from .deploy import log
from .errors import Refused
from .running import Running

TRY_AGAIN_S = 1.0
SERVER_NAME = "kubernetes"  # what every server's certificate is for, whatever its address


def run(arguments: Sequence[str]) -> int:
    """Run an agent until told to stop (0) or until one of its parts ends (1). Raises Refused."""
    config = configuration.read(arguments, flags=AGENT_FLAGS)
    if not config.token and not (layout.AGENT / "client-kubelet.crt").exists():
        raise Refused("--token is required")
    if not config.one("server"):
        raise Refused("--server is required")
    at = joining.address_of(config.one("server"))
    os.umask(0o077)
    for folder in (layout.AGENT, layout.RUN):
        folder.mkdir(parents=True, exist_ok=True)
    return Agent(config, at).run()


class Agent(Running):
    """An agent that is starting or runs."""

    def __init__(self, config: Config, at: joining.Address) -> None:
        super().__init__()
        self._config = config
        self._at = at
        self._images_there = threading.Event()
        self._joined = threading.Event()

    def start(self) -> None:
        """Join, bring everything up, and return when the node is part of the cluster and systemd knows."""
        journal.info("Starting k3s agent (stand-in)")
        containers.configure()
        containers.start(self._children, debug=self._config.on("debug"))
        self.in_background("images", self._import_images)
        server = joining.find_server(self._at, self._config.token, self.pause)
        config = self._config = _completed(self._config, joining.join(server, self._config, self.pause))
        self._joined.set()
        kube = self.start_kube()
        self._write_kubeconfigs()
        components.write_kubelet_config(config)
        network.prepare(config.one("cluster-cidr"))
        kube.run("kube-proxy", components.kube_proxy(config), config.verbatim("kube-proxy-arg"))
        joining.wait_until_ready(server, self.pause)
        kube.api_is_ready()
        self.wait_for(self._images_there)
        kube.run("kubelet", components.kubelet(config), config.verbatim("kubelet-arg"))
        self._join_network()
        journal.info("k3s agent is up and running")
        notify("READY=1")

    def _import_images(self) -> None:
        """First what every cluster has; what a server may have disabled, and is large, when it has said so."""
        try:
            containers.wait(self.check)
            for problem in containers.import_images(containers.archives(frozenset(containers.IMAGES_OF))):
                log(problem)
            self.wait_for(self._joined)
            for problem in containers.import_images(containers.archives(self._config.disabled)):
                log(problem)
        finally:  # whatever went wrong with them, a node without some images is better than none
            self._images_there.set()

    def _write_kubeconfigs(self) -> None:
        for name, certificate in (
            ("kubelet", "client-kubelet"),
            ("kubeproxy", "client-kube-proxy"),
            ("k3scontroller", "client-k3s-controller"),
        ):
            access.component(
                layout.AGENT / f"{name}.kubeconfig",
                layout.AGENT / certificate,
                server=self._at.url,
                ca=layout.AGENT / "server-ca.crt",
                name=SERVER_NAME,
            )

    def _join_network(self) -> None:
        """Wait until the cluster has our node and has given it a range, then describe it."""
        followed = network.Nodes(self._as("client-k3s-controller"), self._config.node_name, self.check)
        self.in_background("nodes", followed.run)
        self.wait_for(followed.own_range)
        api = Api(self._as("client-kubelet"))
        while True:
            try:
                nodes.describe(api, self._config, "agent")
                return
            except TROUBLE as error:
                journal.info(f"Failed to set annotations and labels on node {self._config.node_name}: {error}")
                self.pause(TRY_AGAIN_S)

    def _as(self, certificate: str) -> Access:
        return Access(self._at.host, self._at.port, layout.AGENT / certificate, layout.AGENT / "server-ca.crt")


def _completed(config: Config, settings: joining.Settings) -> Config:
    """What the server says of its cluster goes for its agents, too."""
    values = {
        **config.values,
        "cluster-cidr": (settings.cluster_cidr,),
        "service-cidr": (settings.service_cidr,),
        "cluster-domain": (settings.cluster_domain,),
    }
    return dataclasses.replace(config, values=values, cluster_dns=settings.cluster_dns, disabled=settings.disabled)
