"""What a cluster makes of changes to the solved lab of chapter 03: endpoints, external addresses, and what requests are answered."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.unit.checkers.fake_network import Network
from tests.unit.checkers.kept_lab import KeptLab, Obj, put

Change = Callable[["Services"], Any]
NO_ADDRESS: Obj = {"status": 0, "body": "", "error": "the Service has no address"}
_SYSTEM = "kube-system"
_KINDS = ("Service", "Ingress", "Pod", "Secret", "EndpointSlice")


class Services(KeptLab):
    """Chapter 03: Services, Ingresses and Secrets in front of the Deployments shop and cart."""

    def __init__(self) -> None:
        super().__init__("03")
        host = self.params.host
        self.certificates: dict[str, Obj] = {"shop-tls": certificate(host)}
        self.answered: list[Callable[[Obj], None]] = []  # changes of what came back, whatever the objects say

    def failing(self) -> dict[str, str]:
        """As judged once the network has followed the objects."""
        self._ask(Network(self))  # pyright: ignore[reportArgumentType] it has what Network needs of a cluster
        return super().failing()

    # What Network needs of a cluster -------------------------------------------------------------------------------------------

    @property
    def objects(self) -> list[Obj]:
        """What the learner's network is made of."""
        return [obj for kind in _KINDS for obj in self.all(kind) if obj["metadata"]["namespace"] != _SYSTEM]

    def remove(self, kind: str) -> None:
        """Take away all objects of a kind but K3s's own."""
        items = self.all(kind)
        items[:] = [obj for obj in items if obj["metadata"]["namespace"] == _SYSTEM]

    def _ask(self, network: Network) -> None:
        network.settle()
        host, params = self.params.host, self.params
        mine = [
            one for one in self.all("Service") if one["metadata"]["name"] == "shop" and one["metadata"]["namespace"] == params.namespace
        ]
        inside = network.through(mine[0], 80, "/") if mine and mine[0]["spec"].get("clusterIP") not in ("None", None) else NO_ADDRESS
        results: Obj = {
            "03.inside": inside,
            "03.outside": network.outside(int(params.public)),
            "03.by-host": {"own": network.ask(host, "/"), "other": network.ask(f"somebody-else.{params.namespace}.example", "/")},
            "03.by-path": {path: network.ask(host, path) for path in ("/cart", "/cart/items", "/cart/7f3a", "/bread", "/7f3a-bread")},
            "03.secure": {**network.ask(host, "/"), **network.certificate(host, self.certificates)},
        }
        results = copy.deepcopy(results)  # answers may be one and the same
        for change in self.answered:
            change(results)
        self.document["probes"] = {name: {"result": result} for name, result in results.items()}


def certificate(*names: str, since: float = 0, until: float = 9e9) -> Obj:
    """A certificate's public parts, as the chapter's probe reads them."""
    return {"subject": names[0], "names": list(names), "since": since, "until": until}


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def field(name: str, pointer: str, value: Any) -> Change:
    """A field of one object, named as "Service/shop"."""
    kind, _, called = name.partition("/")
    return lambda lab: put(lab.find(kind, called), pointer, lab.value(value) if isinstance(value, str) else value)


def moved(name: str, namespace: str) -> Change:
    """An object in another namespace."""
    return field(name, "metadata/namespace", namespace)


def renamed(name: str, new: str) -> Change:
    """An object under another name."""
    return field(name, "metadata/name", new)


def dropped(name: str) -> Change:
    """Without an object."""
    kind, _, called = name.partition("/")
    return lambda lab: lab.all(kind).remove(lab.find(kind, called))


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def path(ingress: str, pointer: str, value: Any) -> Change:
    """A field of the one path of an Ingress."""
    return field(f"Ingress/{ingress}", f"spec/rules/0/http/paths/0/{pointer}", value)


def shown(*names: str, **times: float) -> Change:
    """Another certificate in the Secret."""
    return lambda lab: lab.certificates.update({"shop-tls": certificate(*map(lab.text, names), **times)})


def answered(probe: str, change: Callable[[Obj], Any]) -> Change:
    """What came back for a request is changed, whatever the objects say."""
    return lambda lab: lab.answered.append(lambda results: change(results[probe]))


def copied(name: str, new: str, *changes: Change) -> Change:
    """A second object like one that is there."""
    kind, _, called = name.partition("/")

    def change(lab: Services) -> None:
        twin = copy.deepcopy(lab.find(kind, called))
        twin["metadata"].update(name=new, uid=f"uid-{new}")
        lab.all(kind).append(twin)
        for one in changes:
            one(lab)

    return change


def listening(*ports: int | str) -> Change:
    """A program of the machine itself listens there."""
    return lambda lab: lab.document["nodes"]["server"]["ports"].extend(
        {"port": int(lab.value(str(port))), "address": "0.0.0.0", "protocol": "tcp"} for port in ports
    )
