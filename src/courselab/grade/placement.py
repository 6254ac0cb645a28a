"""Where a pod may run: what its template asks of nodes, and which taints it tolerates. As the scheduler sees it, without the room left.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ and …/taint-and-toleration/. Rules about other pods
(podAffinity, topology spread) are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from courselab.grade.dig import Obj, number, rows, table, text, texts
from courselab.grade.selectors import selects
from courselab.grade.world import labels_of, name_of

REFUSING = ("NoSchedule", "NoExecute")
_OF_THE_MOMENT = "node.kubernetes.io/"  # not-ready, unschedulable …: they come and go by themselves


def may_run_on(spec: Obj, nodes: Sequence[Obj]) -> list[str]:
    """Names of the nodes that a pod of this spec is allowed on: they have what it requires, and it tolerates their taints."""
    return [name_of(node) for node in nodes if requires(spec, node) and not refusals(spec, node)]


def requires(spec: Obj, node: Obj) -> bool:
    """Whether a node has what a pod's spec requires of it: nodeName, nodeSelector and required node affinity."""
    named = text(spec, "nodeName")
    terms = rows(spec, *_REQUIRED)
    by_affinity = any(_fits(term, node) for term in terms) if table(spec, *_REQUIRED[:-1]) else True
    return named in ("", name_of(node)) and selects(table(spec, "nodeSelector"), labels_of(node)) and by_affinity


def refusals(spec: Obj, node: Obj) -> list[Obj]:
    """The taints of a node that keep a pod of this spec away, without those that come and go by themselves."""
    taints = [taint for taint in rows(node, "spec", "taints") if not text(taint, "key").startswith(_OF_THE_MOMENT)]
    return [taint for taint in taints if taint.get("effect") in REFUSING and not tolerations(spec, taint)]


def tolerations(spec: Obj, taint: Obj) -> list[Obj]:
    """The tolerations of a pod's spec that fit a taint."""
    return [one for one in rows(spec, "tolerations") if _tolerates(one, taint)]


def patience_s(spec: Obj, taint: Obj) -> float | None:
    """How long a pod stays on a node that gets this taint of effect NoExecute: 0 if it does not tolerate it, None for ever.

    Of several tolerations that fit, the shortest time counts (pkg/controller/tainteviction of Kubernetes).
    """
    found = tolerations(spec, taint)
    times = [number(one, "tolerationSeconds") for one in found if "tolerationSeconds" in one]
    return 0.0 if not found else max(0.0, min(times)) if times else None


_REQUIRED = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")


def _tolerates(toleration: Obj, taint: Obj) -> bool:
    key, effect, way = text(toleration, "key"), text(toleration, "effect"), text(toleration, "operator") or "Equal"
    if effect not in ("", taint.get("effect")):
        return False
    if way == "Exists":
        return key in ("", taint.get("key"))
    return way == "Equal" and key == taint.get("key") and text(toleration, "value") == text(taint, "value")


def _fits(term: Obj, node: Obj) -> bool:
    """Whether a node fits one term; all of its expressions must hold, and an empty term fits none."""
    labels, fields = rows(term, "matchExpressions"), rows(term, "matchFields")
    by_label = all(_holds(one, labels_of(node)) for one in labels)
    return bool(labels or fields) and by_label and all(_holds(one, {"metadata.name": name_of(node)}) for one in fields)


def _holds(expression: Obj, values: dict[str, str]) -> bool:
    way = text(expression, "operator")
    if way in ("Gt", "Lt"):
        here, bound = values.get(text(expression, "key"), ""), (texts(expression, "values") or [""])[0]
        return here.isdigit() and bound.isdigit() and (int(here) > int(bound) if way == "Gt" else int(here) < int(bound))
    return selects({"matchExpressions": [expression]}, values)
