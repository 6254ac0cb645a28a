"""What a cluster makes of changes to the solved lab of chapter 05: who was let in, with which token, and who reaches whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.checkers.kept_lab import KeptLab, Obj, put

Change = Callable[["Joining"], Any]
HOUR = 3600
OTHER_CA = "0" * 64


class Joining(KeptLab):
    """Chapter 05: a server and two machines that joined it."""

    def __init__(self) -> None:
        super().__init__("05")

    def told(self, machine: str) -> Obj:
        """Which server K3s on a machine asks, and with what kind of token."""
        return self.document["nodes"][machine]["facts"]["join"]

    @property
    def tokens(self) -> Obj:
        """The bootstrap tokens that the server knows, and when they end."""
        return self.document["nodes"]["server"]["facts"]["tokens"]["bootstrap"]

    @property
    def secret(self) -> Obj:
        """The Secret of edge2's token."""
        return self.find("Secret", f"bootstrap-token-{self.told('edge2')['id']}", "kube-system")

    def unit(self, machine: str) -> Obj:
        """The unit of K3s's agent on a machine."""
        return self.document["nodes"][machine]["units"]["k3s-agent"]

    @property
    def visit(self) -> Obj:
        """What came of asking for the shop."""
        return self.document["probes"]["05.visit"]["result"]

    @property
    def visitor(self) -> Obj:
        """The pod that asks."""
        return self.find("Pod", "visitor")


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def told(machine: str, **changes: str) -> Change:
    """K3s on a machine was told something else."""
    return lambda lab: lab.told(machine).update({key: lab.text(value) for key, value in changes.items()})


def server(machine: str, address: str) -> Change:
    """K3s on a machine asks at another address; SERVER stands for the server's own."""
    return lambda lab: lab.told(machine).update(server=address.replace("SERVER", lab.document["nodes"]["server"]["address"]))


def unit(machine: str, **state: Any) -> Change:
    """Another state of the agent's unit."""
    return lambda lab: lab.unit(machine).update(state)


def says(machine: str, *lines: str) -> Change:
    """What the agent has said since its start."""
    return lambda lab: lab.unit(machine).update(log=["Starting k3s-agent.service", *lines])


def kept_out(machine: str, *changes: Change) -> Change:
    """It was never let in: there is no such node."""
    return both(lambda lab: lab.all("Node").remove(lab.find("Node", machine)), *changes)


def node(name: str, pointer: str, value: Any) -> Change:
    """A field of a node."""
    return lambda lab: put(lab.find("Node", name), pointer, lab.value(value) if isinstance(value, str) else value)


def silent(name: str) -> Change:
    """A node that does not answer."""

    def change(lab: Joining) -> None:
        for condition in lab.find("Node", name)["status"]["conditions"]:
            condition["status"] = "Unknown"

    return change


def another_node(name: str, like: str) -> Change:
    """One more node of a machine's."""

    def change(lab: Joining) -> None:
        one = lab.find("Node", like)
        lab.all("Node").append({**one, "metadata": {**one["metadata"], "name": name, "uid": f"uid-{name}"}})

    return change


def token_of(hours: float | None) -> Change:
    """edge2's token is good for so long; None for ever."""
    from datetime import UTC, datetime, timedelta

    def change(lab: Joining) -> None:
        made = datetime.fromisoformat(lab.secret["metadata"]["creationTimestamp"])
        ends = "<never>" if hours is None else (made + timedelta(hours=hours)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lab.tokens[lab.told("edge2")["id"]] = ends

    return change


def token_gone(lab: Joining) -> None:
    """edge2's token has ended, or was deleted."""
    lab.all("Secret").remove(lab.secret)
    lab.tokens.clear()


def hours_more(more: float) -> Change:
    """A token that ends so many hours after the time that the task allows."""
    return lambda lab: token_of(int(lab.params.hours) + more)(lab)


def visitor(pointer: str, value: Any) -> Change:
    """A field of the visitor's spec."""
    return lambda lab: put(lab.visitor["spec"], pointer, lab.value(value) if isinstance(value, str) else value)


def visited(**result: Any) -> Change:
    """Something else came of asking for the shop."""
    return lambda lab: lab.visit.update({key: lab.text(value) if isinstance(value, str) else value for key, value in result.items()})


def shop_on(machine: str) -> Change:
    """The shop's pod is on another machine, and the Service leads there."""

    def change(lab: Joining) -> None:
        pod = next(pod for pod in lab.all("Pod") if pod["metadata"]["name"].startswith("shop-"))
        pod["spec"]["nodeName"] = machine
        for piece in lab.all("EndpointSlice"):
            if piece["metadata"]["name"].startswith("shop-"):
                for endpoint in piece["endpoints"]:
                    endpoint["nodeName"] = machine

    return change
