"""The pod network: this node's own range on a bridge, a route to each other node's, and addresses hidden from the world outside.

K3s lets flannel do this; here nodes share a network, so routes are enough (flannel's own backend host-gw does the same).
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import journal, layout
from .api import TROUBLE, Access, Api, Object
from .errors import Refused
from .files import write

CONFLIST = "10-flannel.conflist"
ROUTES_PROTOCOL = "107"  # marks our routes in the kernel's table
TIMEOUT_S = 10.0
WATCH_S = 25  # below the time that a request may take
TRY_AGAIN_S = 0.3
NODES = "/api/v1/nodes"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# As flannel's rules: what leaves the pods' network gets the node's address.
MASQUERADE = """table ip k3s-standin
delete table ip k3s-standin
table ip k3s-standin {{
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr {cidr} ip daddr != {cidr} ip daddr != 224.0.0.0/4 masquerade
  }}
}}
"""


class NetworkError(Refused):
    """The kernel's routes or rules could not be set."""


@dataclass(frozen=True)
class Neighbour:
    """Another node: its address and the range of its pods."""

    address: str
    pods: str


@dataclass
class Nodes:
    """Keeps this node's pod range and the routes to the others' as the cluster's nodes are."""

    access: Access
    own_name: str
    check: Callable[[], None]  # raises when we stop
    on_gone: Callable[[str], None] = lambda _: None  # told the name of each node that is deleted
    own_range: threading.Event = field(default_factory=threading.Event)
    _known: dict[str, Object] = field(default_factory=dict[str, Object])
    _routed: dict[str, Neighbour] | None = None

    def run(self) -> None:
        """Follow the cluster's nodes until we stop."""
        pause, said = threading.Event(), ""
        while True:
            self.check()
            try:
                api = Api(self.access)
                listed = api.get(NODES)
                self._settle({node["metadata"]["name"]: node for node in listed["items"]})
                for event in api.watch(
                    f"{NODES}?watch=true&timeoutSeconds={WATCH_S}&resourceVersion={listed['metadata']['resourceVersion']}"
                ):
                    self.check()
                    self._follow(event)
            except (*TROUBLE, ValueError, KeyError, NetworkError) as error:
                self.check()
                if str(error) != said:
                    said = str(error)
                    journal.warning(f"nodes: {said}")
                pause.wait(TRY_AGAIN_S)

    def _follow(self, event: Object) -> None:
        node = event.get("object", {})
        if event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
            raise ValueError(str(node.get("message", "the watch ended")))
        others = {name: known for name, known in self._known.items() if name != node["metadata"]["name"]}
        self._settle(others if event["type"] == "DELETED" else {**others, node["metadata"]["name"]: node})

    def _settle(self, nodes: dict[str, Object]) -> None:
        gone = self._known.keys() - nodes.keys()
        self._known = nodes
        own = nodes.get(self.own_name, {}).get("spec", {}).get("podCIDR")
        if own:
            configure_pods(own)
            self.own_range.set()
        others = neighbours(nodes, self.own_name)
        if others != self._routed:
            set_routes(others)
            self._routed = others
        for name in gone:
            self.on_gone(name)


def neighbours(nodes: Mapping[str, Object], own_name: str) -> dict[str, Neighbour]:
    """The other nodes that have an address and a range."""
    found: dict[str, Neighbour] = {}
    for name, node in nodes.items():
        listed: list[dict[str, str]] = node.get("status", {}).get("addresses") or []
        addresses = [address["address"] for address in listed if address["type"] == "InternalIP"]
        pods = node.get("spec", {}).get("podCIDR")
        if name != own_name and addresses and pods:
            found[name] = Neighbour(addresses[0], pods)
    return found


def set_routes(others: Mapping[str, Neighbour]) -> None:
    """Make the kernel's routes of ours lead to exactly these nodes."""
    wanted = {other.pods: other.address for other in others.values()}
    there: list[dict[str, Any]] = json.loads(_run("ip", "-json", "route", "show", "proto", ROUTES_PROTOCOL) or "[]")
    have = {route["dst"]: route.get("gateway", "") for route in there}
    lines = [f"route del {pods} proto {ROUTES_PROTOCOL}" for pods in have.keys() - wanted.keys()]
    lines += [
        f"route replace {pods} via {address} proto {ROUTES_PROTOCOL}" for pods, address in wanted.items() if have.get(pods) != address
    ]
    if lines:
        _run("ip", "-force", "-batch", "-", text="".join(f"{line}\n" for line in lines))


def prepare(cluster_cidr: str) -> None:
    """Let this node pass packets on, and hide the addresses of its pods from others than pods."""
    try:
        FORWARDING.write_text("1")
    except OSError as error:
        raise NetworkError(f"{FORWARDING}: {error.strerror}") from None
    _run("nft", "-f", "-", text=MASQUERADE.format(cidr=cluster_cidr))


def configure_pods(pod_cidr: str) -> None:
    """Give pods addresses of this node's range on bridge cni0, and ports of the host where they ask for one."""
    network = {
        "cniVersion": "1.0.0",
        "name": "cbr0",  # as flannel's in K3s (pkg/agent/flannel/setup.go)
        "plugins": [
            {
                "type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True, "forceAddress": True,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": pod_cidr}]], "routes": [{"dst": "0.0.0.0/0"}]},
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }  # fmt: skip
    path, data = layout.CNI_CONFIG / CONFLIST, json.dumps(network, indent=2).encode()
    if not path.exists() or path.read_bytes() != data:
        write(path, data)


def _run(*argv: str, text: str = "") -> str:
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkError(f"{argv[0]}: {error}") from None
    if done.returncode != 0:
        raise NetworkError(f"{argv[0]}: {done.stderr.strip()[:300]}")
    return done.stdout
