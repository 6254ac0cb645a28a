"""Reading what `multipass … --format json` prints, 1.13 to 1.17. Anything may be missing, of another type or cut short: it never raises
anything but Garbled, and a state or an address that is not understood is not guessed."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from courselab.errors import LabError
from courselab.machines.base import MachineState, Usage

# Pods and services of K3s: addresses of the machine's own bridges, not of the machine (docs.k3s.io/networking).
_CLUSTER = (ipaddress.IPv4Network("10.42.0.0/16"), ipaddress.IPv4Network("10.43.0.0/16"))
# VirtualBox's NAT gives every machine this one; nothing can reach it.
_UNREACHABLE = (ipaddress.IPv4Address("10.0.2.15"),)
_STATES = {
    "Running": MachineState.RUNNING,
    "Delayed Shutdown": MachineState.RUNNING,
    "Starting": MachineState.STARTING,
    "Restarting": MachineState.STARTING,
    "Stopped": MachineState.STOPPED,
    "Suspended": MachineState.STOPPED,  # `start` goes on with it as with a stopped one
    "Deleted": MachineState.BROKEN,  # only `delete --purge` and a new start help
}
_LIMIT = 1000


class Garbled(LabError):
    """Multipass answered, but not with the JSON it should."""


@dataclass(frozen=True)
class Version:
    """`multipass version`. Without a daemon nothing but the client answers."""

    client: str
    daemon: str

    @property
    def numbers(self) -> tuple[int, int]:
        """Major and minor number; (0, 0) when they cannot be read."""
        found = re.match(r"(\d+)\.(\d+)", self.client)
        return (int(found[1]), int(found[2])) if found else (0, 0)


@dataclass(frozen=True)
class Seen:
    """One virtual machine in `multipass list`."""

    name: str
    state: MachineState
    said: str  # the state in Multipass's own word


def version(text: bytes) -> Version:
    """`version --format json`."""
    data = _object(text)
    return Version(_string(data.get("multipass")), _string(data.get("multipassd")))


def listed(text: bytes) -> dict[str, Seen]:
    """`list --format json`: name → machine."""
    data = _object(text)
    if not isinstance(data.get("list"), list):
        raise _garbled("it has no list of machines")
    found: dict[str, Seen] = {}
    for row in _objects(data["list"]):
        name, said = _string(row.get("name")), _string(row.get("state"))
        if name:
            found[name] = Seen(name, state_of(said), said)
    return found


def state_of(said: str) -> MachineState:
    """Our word for Multipass's state; one that is not known stays unknown."""
    return _STATES.get(said, MachineState.UNKNOWN)


def address_in_info(text: bytes, name: str) -> str:
    """The machine's own address in `info NAME --format json`; "" when it has none that can be used."""
    return _own_address(_mapping(_mapping(_object(text).get("info")).get(name)))


def address_in_list(text: bytes, name: str) -> str:
    """The machine's own address in `list --format json`; "" when it has none that can be used."""
    found = [row for row in _objects(_object(text).get("list")) if row.get("name") == name]
    return _own_address(found[0]) if found else ""


def snapshots(text: bytes, name: str) -> list[str]:
    """The names of a machine's snapshots in `list --snapshots --format json`."""
    return sorted(_mapping(_mapping(_object(text).get("info")).get(name)))


def usage(text: bytes, name: str) -> Usage:
    """What a machine takes, in `info NAME --format json`: memory and disks in bytes, disks as texts; the load of the last minute."""
    machine = _mapping(_mapping(_object(text).get("info")).get(name))
    disks = [_mapping(disk).get("used") for disk in _mapping(machine.get("disks")).values()]
    used = [int(disk) for disk in disks if isinstance(disk, str) and disk.isdecimal()]
    memory = _mapping(machine.get("memory")).get("used")
    load = _sequence(machine.get("load"))
    return Usage(
        memory_mib=memory >> 20 if isinstance(memory, int) else None,
        disk_mib=sum(used) >> 20 if used else None,
        cpu_percent=round(100 * float(load[0]), 1) if load and isinstance(load[0], int | float) else None,
    )


def usable_addresses(said: Iterable[Any]) -> list[str]:
    """Of what Multipass lists, the addresses that can be the machine's own: no "N/A", no pods' bridges, nothing the host cannot reach."""
    found: list[str] = []
    for one in said:
        try:
            address = ipaddress.IPv4Address(one) if isinstance(one, str) else None
        except ValueError:
            continue
        if address is None or address in _UNREACHABLE or any(address in net for net in _CLUSTER):
            continue
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
            continue
        found.append(str(address))
    return found


def _own_address(machine: dict[str, Any]) -> str:
    found = usable_addresses(_sequence(machine.get("ipv4")))
    return found[0] if found else ""


def _object(text: bytes) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as broken:
        raise _garbled(str(broken)[:120]) from broken
    if not isinstance(data, dict):
        raise _garbled("it is no object")
    return _mapping(data)  # pyright: ignore[reportUnknownArgumentType]


def _objects(rows: Any) -> list[dict[str, Any]]:
    return [_mapping(row) for row in _sequence(rows)]


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return cast("list[Any]", value)[:_LIMIT] if isinstance(value, list) else []


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _garbled(why: str) -> Garbled:
    return Garbled(
        "Multipass gave an answer that cannot be read",
        why=f"Its JSON is not as it should be: {why}.",
        fix="Run the command again; if it stays so, `multipass version` shows whether client and service are of one version.",
    )
