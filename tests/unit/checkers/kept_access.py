"""What a cluster makes of changes to the solved lab of chapter 08: what the account may do, and who one is with its kubeconfig."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from courselab.course.params import Params
from courselab.grade.redacted import MARK
from tests.unit.checkers.fake_rbac import Rbac
from tests.unit.checkers.kept_lab import KeptLab, Obj, put

Change = Callable[["Access"], Any]
HOUR = 3600
_KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
_API = "rbac.authorization.k8s.io/v1"


class Access(KeptLab):
    """Chapter 08: an account, its Roles and bindings, and its kubeconfig."""

    def __init__(self) -> None:
        super().__init__("08")
        self.params: Params = Params(self.document["params"])

    def failing(self) -> dict[str, str]:
        """As judged once the API server has been asked again."""
        ask = next(probe.function for probe in self.checker.probes if probe.mark.name == "08.may")
        self.document["probes"]["08.may"] = {"result": ask(Rbac(self), self.params)}
        return super().failing()

    @property
    def objects(self) -> list[Obj]:
        """What decides who may do what."""
        return [obj for kind in _KINDS for obj in self.all(kind)]

    @property
    def file(self) -> Obj:
        """The kubeconfig, taken apart."""
        return self.document["nodes"]["server"]["facts"]["kubeconfig"]

    @property
    def user(self) -> Obj:
        """The user of its context."""
        return self.file["users"][self.file["contexts"][self.file["current"]]["user"]]

    @property
    def at(self) -> Obj:
        """The cluster of its context."""
        return self.file["clusters"][self.file["contexts"][self.file["current"]]["cluster"]]

    @property
    def seen(self) -> Obj:
        """What came of trying the file."""
        return self.document["probes"]["08.by-file"]["result"]


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def field(name: str, pointer: str, value: Any) -> Change:
    """A field of one object, named as "Role/look"."""
    kind, _, called = name.partition("/")
    return lambda lab: put(lab.find(kind, lab.text(called)), pointer, lab.value(value) if isinstance(value, str) else value)


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def dropped(name: str) -> Change:
    """Without an object."""
    kind, _, called = name.partition("/")
    return lambda lab: lab.all(kind).remove(lab.find(kind, lab.text(called)))


def rule(text: str) -> Change:
    """One more rule for the account."""
    return lambda lab: lab.find("Role", "look")["rules"].append(lab.value(text))


def bound(role: str, subjects: str, namespace: str = "") -> Change:
    """One more binding, cluster-wide unless a namespace is named: bound("ClusterRole/view", "[{…}]")."""

    def change(lab: Access) -> None:
        kind = "RoleBinding" if namespace else "ClusterRoleBinding"
        metadata = {"name": "more", "uid": "uid-more", **({"namespace": lab.text(namespace)} if namespace else {})}
        reference = {"kind": role.partition("/")[0], "name": role.partition("/")[2]}
        lab.all(kind).append(
            {"apiVersion": _API, "kind": kind, "metadata": metadata, "roleRef": reference, "subjects": lab.value(subjects)}
        )

    return change


def at(**changes: Any) -> Change:
    """Another cluster in the file."""
    return lambda lab: lab.at.update({key: lab.text(value) if isinstance(value, str) else value for key, value in changes.items()})


def tried(**changes: Any) -> Change:
    """Trying the file showed something else."""
    return lambda lab: lab.seen.update({key: lab.text(value) if isinstance(value, str) else value for key, value in changes.items()})


def lasting(hours: float | None, *, ago_h: float = 0) -> Change:
    """A token that was made some hours ago and lasts so long; None for ever."""

    def change(lab: Access) -> None:
        claims = lab.user["token"][MARK]["jwt"]
        claims["iat"] = claims["nbf"] = int(lab.document["nodes"]["server"]["time"] - ago_h * HOUR)
        claims["exp"] = claims["iat"] + int((hours or 0) * HOUR)
        if hours is None:
            del claims["exp"]

    return change


def second_user(*, hours: float | None = 8, account: str = "{person}", **entry: Any) -> Change:
    """Another user in the file, beside the one of its context."""

    def change(lab: Access) -> None:
        other = copy.deepcopy(lab.user)
        claims = other["token"][MARK]["jwt"]
        claims.update(sub=lab.text(f"system:serviceaccount:{{namespace}}:{account}"), exp=claims["iat"] + int((hours or 0) * HOUR))
        if hours is None:
            del claims["exp"]
        lab.file["users"]["other"] = {**other, **entry}

    return change
