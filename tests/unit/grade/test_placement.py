"""Where a pod may run, by its template and the nodes alone."""

from __future__ import annotations

from typing import Any

import pytest

from courselab.grade import may_run_on, patience_s, refusals, requires, tolerations

Obj = dict[str, Any]
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


def node(name: str, *taints: Obj, **labels: str) -> Obj:
    return {"kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {"taints": list(taints)}}


def taint(text: str) -> Obj:
    pair, _, effect = text.partition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


NODES = [
    node("server"),
    node("edge1", taint("device=radar:NoSchedule"), tier="edge", site="hill", cpus="4"),
    node("edge2", taint("node.kubernetes.io/unschedulable:NoSchedule"), taint("old:PreferNoSchedule"), tier="edge", site="pier", cpus="16"),
]
DEVICE = {"key": "device", "operator": "Exists"}


def required(*terms: Obj) -> Obj:
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}}


def label(key: str, operator: str, *values: str) -> Obj:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def named(*names: str) -> Obj:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": list(names)}]}


@pytest.mark.parametrize(
    ("spec", "nodes"),
    [
        ({}, "server edge2"),
        ({"tolerations": [DEVICE]}, "server edge1 edge2"),
        ({"nodeSelector": {"tier": "edge"}}, "edge2"),
        ({"nodeSelector": {"tier": "edge"}, "tolerations": [DEVICE]}, "edge1 edge2"),
        ({"nodeSelector": {"tier": "edge", "site": "hill"}, "tolerations": [DEVICE]}, "edge1"),
        ({"nodeSelector": {"tier": "Edge"}}, ""),
        ({"nodeName": "edge2"}, "edge2"),
        (required(label("site", "In", "pier", "hill")), "edge2"),
        (required(label("site", "In", "pier"), label("tier", "DoesNotExist")), "server edge2"),
        (required({**label("tier", "Exists"), **named("server")}), ""),
        (required(named("server", "edge2")), "server edge2"),
        (required(label("cpus", "Gt", "8")), "edge2"),
        ({**required(label("cpus", "Lt", "8")), "tolerations": [DEVICE]}, "edge1"),
        (required(label("site", "NotIn", "pier")), "server"),
        (required({}), ""),
        (required(), ""),
        ({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}}, "server edge2"),
        ({"nodeSelector": None, "affinity": None, "tolerations": None}, "server edge2"),
    ],
)
def test_a_pod_may_run_where_its_template_fits(spec: Obj, nodes: str) -> None:
    assert may_run_on(spec, NODES) == nodes.split()


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "device", "operator": "Equal", "value": "radar", "effect": "NoSchedule"}, True),
        ({"key": "device", "value": "radar"}, True),
        ({"key": "device", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "device", "value": "camera"}, False),
        ({"key": "device"}, False),
        ({"key": "device", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "devices", "operator": "Exists"}, False),
    ],
)
def test_a_toleration_fits_by_key_value_and_effect(toleration: Obj, tolerated: bool) -> None:
    spec = {"tolerations": [toleration]}
    assert bool(tolerations(spec, taint("device=radar:NoSchedule"))) is tolerated
    assert bool(refusals(spec, NODES[1])) is not tolerated
    assert requires(spec, NODES[1])


def stays(**more: Any) -> Obj:
    return {"key": UNREACHABLE["key"], "operator": "Exists", **more}


@pytest.mark.parametrize(
    ("found", "patience"),
    [
        ([], 0.0),
        ([stays(effect="NoExecute", tolerationSeconds=300)], 300.0),
        ([stays(effect="NoSchedule")], 0.0),
        ([stays()], None),
        ([{"operator": "Exists"}], None),
        ([{"operator": "Exists"}, stays(tolerationSeconds=7)], 7.0),
        ([stays(tolerationSeconds=20), stays(tolerationSeconds=5)], 5.0),
        ([stays(tolerationSeconds=-3)], 0.0),
    ],
)
def test_the_shortest_patience_counts(found: list[Obj], patience: float | None) -> None:
    assert patience_s({"tolerations": found}, UNREACHABLE) == patience
