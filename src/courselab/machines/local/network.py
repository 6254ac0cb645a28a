"""One switch per lab, its addresses, and the firewall rules that let its machines out but not to other labs."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselab import files, process
from courselab.errors import LabError
from courselab.machines.local import firewall
from courselab.machines.local.names import HostNames

Net = ipaddress.IPv4Network
# Where a lab's network may be; K3s itself uses 10.42.0.0/16 for pods and 10.43.0.0/16 for services.
CANDIDATES = (Net("10.96.0.0/11"), Net("172.24.0.0/13"), Net("192.168.128.0/17"))
RESERVED = (Net("10.42.0.0/16"), Net("10.43.0.0/16"))
RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf")
FIRST_HOST = 11
TIMEOUT_S = 10.0
SHORTEST = 8  # a VPN takes everything with two halves of a default route, 0.0.0.0/1 and 128.0.0.0/1


def choose_subnet(key: str, taken: Iterable[Net]) -> Net:
    """A free private /24; `key` says where the search begins, so that two searchers rarely want the same.

    Raises LabError when all are taken.
    """
    busy = [*taken, *RESERVED]
    count = sum(_parts(block) for block in CANDIDATES)
    start = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
    for step in range(count):
        net = _candidate((start + step) % count)
        if not any(net.overlaps(other) for other in busy):
            return net
    raise LabError(
        "There is no free private network for the machines",
        why="This computer has routes to all of them.",
        fix="Disconnect a VPN that takes all private addresses, then try again.",
    )


def _parts(block: Net) -> int:
    return 1 << 24 - block.prefixlen


def _candidate(index: int) -> Net:
    """The /24 with this number among all in CANDIDATES."""
    for block in CANDIDATES:
        if index < _parts(block):
            return Net((int(block.network_address) + (index << 8), 24))
        index -= _parts(block)
    raise IndexError(index)


@dataclass(frozen=True)
class Lan:
    """The network of one lab."""

    lab: str
    bridge: str
    net: Net

    @property
    def gateway(self) -> str:
        """The host's address in it."""
        return str(self.net.network_address + 1)


class Networks:
    """All networks of one state folder: `networks.json` remembers them, the host's bridges and one nft table make them real."""

    def __init__(self, machines: Path, names: HostNames) -> None:
        self._file = machines / "networks.json"
        self._names = names

    def known(self) -> dict[str, Lan]:
        """The networks that are remembered, by lab."""
        if not self._file.exists():
            return {}
        stored: dict[str, str] = json.loads(self._file.read_text())
        return {lab: Lan(lab, self._names.bridge(lab), Net(net)) for lab, net in stored.items()}

    def of(self, lab: str) -> Lan:
        """The network of `lab`, chosen now if it has none. Callers hold the provider's lock."""
        known = self.known()
        if lab not in known:
            taken = [*host_networks(), *(lan.net for lan in known.values())]
            known[lab] = Lan(lab, self._names.bridge(lab), choose_subnet(self._names.bridge(lab), taken))
            self._write(known)
        return known[lab]

    def crossed(self, lab: str) -> str:
        """Which network this host has come to use for something else though it overlaps with that of `lab`; "" if none."""
        lan = self.known().get(lab)
        others = host_networks(without=lan.bridge) if lan else []
        return next((str(net) for net in others if lan and net.overlaps(lan.net)), "")

    def move(self, lab: str) -> None:
        """Give `lab`, none of whose machines runs, a network that this host does not use otherwise.

        Where there is none, it keeps its own if that still is more exact than what the host has. Raises LabError if it is not.
        """
        lan = self.of(lab)
        others = host_networks(without=lan.bridge)
        known = self.known()
        try:
            taken = [*others, *(other.net for other in known.values() if other.lab != lab)]
            known[lab] = Lan(lab, lan.bridge, choose_subnet(lan.bridge, taken))
        except LabError:
            if any(net.overlaps(lan.net) and net.prefixlen >= lan.net.prefixlen for net in others):
                raise
            return
        self.take_down(lan.bridge)  # with the address it had
        self._write(known)

    def plug(self, veth: str, lan: Lan) -> None:
        """Put a running machine's cable back into the lab's bridge, in case somebody removed that."""
        if exists(veth):
            _ip(f"link set dev {veth} master {lan.bridge} up")

    def forget(self, lab: str) -> None:
        """Remove the network of `lab`, which has no machine any more, from the host and from memory."""
        self.take_down(self._names.bridge(lab))
        known = self.known()
        if known.pop(lab, None):
            self._write(known)

    def set_up(self, lab: str) -> Lan:
        """Make sure that the bridge of `lab` and our rules are there."""
        lan = self.of(lab)
        mtu = uplink_mtu()
        if not exists(lan.bridge):
            _ip(f"link add name {lan.bridge} type bridge")
        _ip(
            f"link set dev {lan.bridge} mtu {mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"addr replace {lan.gateway}/24 dev {lan.bridge}",
            f"link set dev {lan.bridge} up",
        )
        self.write_rules()
        return lan

    def take_down(self, bridge: str) -> None:
        """Remove a bridge from the host, if it is there, and its rules."""
        if exists(bridge):
            process.run(["ip", "link", "delete", bridge], timeout_s=TIMEOUT_S).check(f"The bridge {bridge} could not be removed")
        self.write_rules()

    def write_rules(self) -> None:
        """Make the firewall say what the bridges that exist need, no more."""
        up = [lan for lan in self.known().values() if exists(lan.bridge)]
        firewall.apply(self._names.table, [firewall.Side(lan.bridge, str(lan.net)) for lan in up])

    def _write(self, known: Mapping[str, Lan]) -> None:
        files.write_json(self._file, {lab: str(lan.net) for lab, lan in sorted(known.items())})


def host_networks(*, without: str = "") -> list[Net]:
    """Every IPv4 network this host has an address in or a route to, except default routes, and its resolvers.

    `without`: an interface that does not count.
    """
    nets = [Net(f"{server}/32") for server in nameservers()]
    for words in (["-4", "route", "show", "table", "all"], ["-4", "addr", "show"]):
        nets.extend(
            _networks_in(entry for entry in _ip_json(*words) if not without or without not in (entry.get("dev"), entry.get("ifname")))
        )
    return [net for net in nets if net.prefixlen >= SHORTEST]


def _networks_in(entries: Iterable[dict[str, Any]]) -> Iterable[Net]:
    for entry in entries:
        if entry.get("dst", "default") != "default":
            yield Net(entry["dst"], strict=False)
        for item in entry.get("addr_info", []):
            yield Net(f"{item['local']}/{item['prefixlen']}", strict=False)


def exists(interface: str) -> bool:
    """Whether the host has a network interface of this name."""
    try:
        return socket.if_nametoindex(interface) > 0
    except OSError:
        return False


def uplink_mtu() -> int:
    """The MTU of the interface with the default route, 1500 when there is none."""
    devices = [route["dev"] for route in _ip_json("-4", "route", "show", "default") if "dev" in route]  # one over several has none
    links = _ip_json("link", "show", "dev", devices[0]) if devices else []
    return max(1280, min(1500, links[0]["mtu"])) if links else 1500


def nameservers(candidates: Sequence[str] = RESOLVERS) -> list[str]:
    """The host's real IPv4 resolvers: a machine cannot use one that listens on the host's loopback."""
    for path in candidates:
        found: list[str] = []
        for line in Path(path).read_text(errors="replace").splitlines() if Path(path).exists() else []:
            word, _, rest = line.strip().partition(" ")
            address = rest.strip()
            if word == "nameserver" and _is_usable(address):
                found.append(address)
        if found:
            return found[:3]
    return []


def _is_usable(address: str) -> bool:
    try:
        return not ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False


def _ip(*commands: str) -> None:
    text = "".join(f"{command}\n" for command in commands)
    process.run(["ip", "-batch", "-"], input=text.encode(), timeout_s=TIMEOUT_S).check("The machines' network could not be made")


def _ip_json(*words: str) -> list[dict[str, Any]]:
    shown = process.run(["ip", "-json", *words], timeout_s=TIMEOUT_S).check("The host's networks could not be read")
    found: list[dict[str, Any]] = json.loads(shown.stdout or b"[]")
    return found
