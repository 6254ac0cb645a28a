"""What a cluster makes of changes to the solved lab of chapter 06: nodes, where pods were put, who takes requests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.unit.checkers.kept_lab import GONE, KeptLab, Obj, put

Change = Callable[["Placement"], Any]
LB = "svccontroller.k3s.cattle.io"
EDGES = ("edge1", "edge2")


class Placement(KeptLab):
    """Chapter 06: three nodes and what runs on them."""

    def __init__(self) -> None:
        super().__init__("06")

    def workload(self, name: str) -> Obj:
        """The learner's Deployment or DaemonSet of this name."""
        return self.find("DaemonSet" if name == "collector" else "Deployment", name)

    def pods(self, name: str) -> list[Obj]:
        """Its pods."""
        return [pod for pod in self.all("Pod") if pod["metadata"]["name"].startswith(f"{name}-")]

    @property
    def keepers(self) -> list[Obj]:
        """The svclb pods of the Service."""
        return self.pods("svclb-api")

    def agent(self, machine: str) -> Obj:
        """The unit of K3s on a machine."""
        return self.document["nodes"][machine]["units"]["k3s-agent"]

    def answer(self, machine: str) -> Obj:
        """What came of asking for the API's port on a machine."""
        return self.document["probes"]["06.doors"]["result"][machine]


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def label(node: str, key: str, value: str | None) -> Change:
    """Another label of a node; None takes it away."""
    pointer = f"metadata/labels/{key.replace('/', '~1')}"
    return lambda lab: put(lab.find("Node", node), pointer, GONE if value is None else lab.text(value))


def annotation(node: str, key: str, value: str) -> Change:
    """An annotation of a node."""
    return lambda lab: put(lab.find("Node", node), f"metadata/annotations/{key.replace('/', '~1')}", lab.text(value))


def taints(node: str, text: str) -> Change:
    """Other taints of a node."""
    return lambda lab: lab.find("Node", node)["spec"].update(taints=lab.value(text))


def unit(machine: str, **state: Any) -> Change:
    """Another state of K3s on a machine."""
    return lambda lab: lab.agent(machine).update(state)


def spec(name: str, pointer: str, value: Any) -> Change:
    """A field of the template's spec; the pods are made anew with it, where they were."""

    def change(lab: Placement) -> None:
        for one in (lab.workload(name)["spec"]["template"]["spec"], *(pod["spec"] for pod in lab.pods(name))):
            put(one, pointer, lab.value(value) if isinstance(value, str) else value)

    return change


def on(name: str, *nodes: str) -> Change:
    """Its pods are on these nodes, one after the other."""

    def change(lab: Placement) -> None:
        for place, pod in enumerate(lab.pods(name)):
            pod["spec"]["nodeName"] = nodes[place % len(nodes)]

    return change


def unplaced(name: str) -> Change:
    """No node takes its pods."""

    def change(lab: Placement) -> None:
        for pod in lab.pods(name):
            del pod["spec"]["nodeName"]
            pod["status"] = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}
        lab.workload(name)["status"].update(readyReplicas=0, availableReplicas=0, numberReady=0)

    return change


def one_pod_only(name: str, node: str) -> Change:
    """A DaemonSet whose pods are wanted on one node."""

    def change(lab: Placement) -> None:
        for pod in [pod for pod in lab.pods(name) if pod["spec"]["nodeName"] != node]:
            lab.all("Pod").remove(pod)
        counts = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable")
        lab.workload(name)["status"].update(dict.fromkeys(counts, 1))

    return change


def count(name: str, wanted: int) -> Change:
    """A Deployment with so many pods, the new ones on the other edge node."""

    def change(lab: Placement) -> None:
        pods, owner = lab.pods(name), lab.workload(name)
        for pod in pods[wanted:]:
            lab.all("Pod").remove(pod)
        for place in range(len(pods), wanted):
            pod = copy.deepcopy(pods[0])
            pod["metadata"].update(name=f"{name}-more-{place}", uid=f"uid-more-{place}")
            pod["spec"]["nodeName"] = next(edge for edge in EDGES if edge != pods[0]["spec"]["nodeName"])
            lab.all("Pod").append(pod)
        owner["spec"]["replicas"] = wanted
        owner["status"].update(dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted))

    return change


def started_with(*arguments: str) -> Change:
    """The server was started with these arguments."""
    words = ", ".join(f'"{word}"' for word in ("server", *arguments))
    return annotation("server", "k3s.io/node-args", f"[{words}]")


def pod_patience(unreachable: int, not_ready: int) -> Change:
    """What the API server has added to the pods of api, whose template says nothing of lost nodes."""
    template = [{"key": "device", "operator": "Exists"}]
    lost = (("node.kubernetes.io/unreachable", unreachable), ("node.kubernetes.io/not-ready", not_ready))
    added = [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds} for key, seconds in lost]

    def change(lab: Placement) -> None:
        lab.workload("api")["spec"]["template"]["spec"]["tolerations"] = template
        for pod in lab.pods("api"):
            pod["spec"]["tolerations"] = [*template, *added]

    return change


def doors(*nodes: str) -> Change:
    """Nodes on which svclb pods keep the port open."""

    def change(lab: Placement) -> None:
        first, *others = lab.keepers
        for pod in others:
            lab.all("Pod").remove(pod)
        for place, node in enumerate(nodes):
            pod = copy.deepcopy(first)
            pod["metadata"].update(name=f"svclb-api-more-{place}", uid=f"uid-svclb-{place}")
            pod["spec"]["nodeName"] = node
            lab.all("Pod").append(pod)
        lab.all("Pod").remove(first)
        shop = copy.deepcopy(lab.answer(lab.params.door))
        for machine in lab.document["nodes"]:
            open_there = machine in nodes
            lab.answer(machine).update(shop if open_there else {"status": 0, "body": "", "error": "connection refused"})

    return change


def no_doors(lab: Placement) -> None:
    """Nowhere is a svclb pod wanted."""
    for pod in lab.keepers:
        lab.all("Pod").remove(pod)
    for machine in lab.document["nodes"]:
        lab.answer(machine).update(status=0, body="", error="connection refused")


def service(pointer: str, value: Any) -> Change:
    """A field of the Service."""
    return lambda lab: put(lab.find("Service", "api"), pointer, lab.text(value) if isinstance(value, str) else value)


def survived(**result: Any) -> Change:
    """Another result of losing a node."""
    return lambda lab: lab.document["probes"]["06.failover"]["result"].update(result)
