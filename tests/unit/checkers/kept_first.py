"""What a machine and its cluster make of changes to the solved lab of chapter 01."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.unit.checkers.kept_lab import KeptLab, Obj, put

Change = Callable[["First"], Any]
CONFIG, OWN = "/etc/rancher/k3s/config.yaml", "/etc/rancher/k3s/k3s.yaml"
STUDENT, LAPTOP = "/home/student/.kube/config", "/home/student/work/laptop.yaml"
MANIFESTS = "/var/lib/rancher/k3s/server/manifests"


class First(KeptLab):
    """Chapter 01: a machine on which a learner installed K3s."""

    def __init__(self) -> None:
        super().__init__("01")

    @property
    def server(self) -> Obj:
        """The machine."""
        return self.document["nodes"]["server"]

    @property
    def k3s(self) -> Obj:
        """K3s on it, and its configuration."""
        return self.server["k3s"]

    @property
    def node(self) -> Obj:
        """Its Node."""
        return next(node for node in self.all("Node") if node["metadata"]["name"] == "server")

    def addon(self, name: str) -> Obj:
        """The Deployment of a packaged component."""
        return self.find("Deployment", name, "kube-system")

    def without_cluster(self) -> None:
        """K3s does not run, so nobody answers."""
        self.document["cluster"].update(reachable=False, why="connection refused", kinds={})


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def config(key: str, value: Any) -> Change:
    """A key of K3s's configuration; YAML with {parameters}."""
    return lambda lab: put(lab.k3s["config"], key, lab.value(value) if isinstance(value, str) else value)


def file(path: str, **changes: Any) -> Change:
    """What a file is like."""
    return lambda lab: lab.server["files"][path].update(changes)


def gone(path: str) -> Change:
    """A file is not there."""

    def change(lab: First) -> None:
        lab.server["files"][path] = {"exists": False}

    return change


def fact(name: str, value: Any) -> Change:
    """What a fact says; YAML with {parameters}."""
    return lambda lab: put(lab.server["facts"], name, lab.value(value) if isinstance(value, str) else value)


def names(*more: str, without: str = "") -> Change:
    """More names in the certificate, or one less."""

    def change(lab: First) -> None:
        found: list[str] = lab.server["facts"]["names"]
        lab.server["facts"]["names"] = [one for one in found if one != lab.text(without)] + [lab.text(one) for one in more]

    return change


def unit(**changes: Any) -> Change:
    """What systemd says of k3s."""
    return lambda lab: lab.server["units"]["k3s"].update(changes)


def unlabelled(lab: First) -> None:
    """The node has no label of the course."""
    lab.node["metadata"]["labels"].pop("course")


def student(error: str, *, file: bool = True, shell: bool = True) -> Change:
    """What kubectl says to student, with the file and in a new shell."""

    def change(lab: First) -> None:
        result = lab.document["probes"]["01.student"]["result"]
        refused = {"code": 1, "said": "", "error": error}
        result.update({how: refused for how, wrong in (("file", file), ("shell", shell)) if wrong})

    return change


def laptop(error: str = "", **changes: str) -> Change:
    """What stands in laptop.yaml, and what kubectl says with it."""

    def change(lab: First) -> None:
        lab.server["facts"]["laptop"].update({key: lab.text(value) for key, value in changes.items()})
        if error:
            lab.document["probes"]["01.laptop"]["result"] = {"code": 1, "said": "", "error": error}

    return change


def without_addon(*missing: str) -> Change:
    """Packaged components whose Deployment is not there."""

    def change(lab: First) -> None:
        for name in missing:
            lab.all("Deployment").remove(lab.addon(name))

    return change


def scaled(name: str, replicas: int) -> Change:
    """A packaged component with another number of pods, all of them available."""

    def change(lab: First) -> None:
        found = lab.addon(name)
        found["spec"]["replicas"] = replicas
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
        found["status"] = {key: value for key, value in {**found["status"], **counts}.items() if value}
        for owned in lab.all("ReplicaSet"):
            if (
                any(owner["uid"] == found["metadata"]["uid"] for owner in owned["metadata"].get("ownerReferences") or [])
                and owned["spec"]["replicas"]
            ):
                owned["spec"]["replicas"] = replicas
                owned["status"] = copy.deepcopy({key: value for key, value in {**owned["status"], **counts}.items() if value})

    return change
