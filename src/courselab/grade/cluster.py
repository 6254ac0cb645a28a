"""`cluster`, as a check sees it: the objects of Evidence, and only the kinds that the check declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from courselab.grade import kinds
from courselab.grade.authors import CheckerMistake, Failure
from courselab.grade.dig import Obj
from courselab.grade.evidence import ContainerLog, UnitState
from courselab.grade.match import nearest
from courselab.grade.record import NotCollected, Record
from courselab.grade.selectors import selects
from courselab.grade.settle import settling
from courselab.grade.world import World, is_dying, labels_of, name_of, namespace_of, title_of, uid_of

SHOWN_NAMES = 6


class ClusterDown(Failure):
    """The machine answers, its Kubernetes does not: a finding about the lab, told with the unit's state."""


class Cluster:
    """Objects as plain dicts. They are shared between checks: read them, never change them.

    `reads` are the kinds the check declared; None allows every kind that was collected (diagnoses, `why`).
    """

    def __init__(self, world: World, record: Record, reads: tuple[str, ...] | None) -> None:
        self._world = world
        self._record = record
        self._reads = None if reads is None else {kinds.canonical(name) for name in reads}

    @property
    def reachable(self) -> bool:
        """Whether the Kubernetes API answered."""
        return self._world.evidence.cluster.reachable

    @property
    def version(self) -> str:
        """The API server's version: "v1.36.3+k3s1"."""
        self._require_answer()
        return self._world.evidence.cluster.version

    def find(self, kind: str, name: str, namespace: str = "default") -> Obj | None:
        """The object, or None if there is none."""
        kind = self._open(kind)
        found = self._world.find(kind, name, namespace)
        if found is None and kind in self._record.trimmed:
            looked_at = len(self._world.objects(kind))
            raise NotCollected(f"There are too many objects of kind {kind}: only the first {looked_at} were looked at.")
        if found is not None:
            self._record.saw(found)
            if uid_of(found) in self._world.evidence.cluster.kinds[kind].cut:
                self._record.cut.add(title_of(found))
        return found

    def get(self, kind: str, name: str, namespace: str = "default") -> Obj:
        """The object. If there is none the check fails, with where one of this name is and which names look alike."""
        found = self.find(kind, name, namespace)
        if found is None:
            raise self._not_there(kinds.canonical(kind), name, namespace)
        return found

    def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | str | None = None, *, dying: bool = False
    ) -> list[Obj]:
        """Objects of a kind, in all namespaces unless one is given. Those that are being deleted are left out unless `dying`."""
        kind = self._open(kind)
        found = [
            obj
            for obj in self._world.objects(kind)
            if (namespace is None or namespace_of(obj) == namespace)
            and (labels is None or selects(labels, labels_of(obj)))
            and (dying or not is_dying(obj))
        ]
        self._record.saw_list(found)
        return found

    def rely(self, obj: Obj) -> Obj:
        """Say that the check stands on this object, found in a list: it passes only once the object has settled. Returns it."""
        self._record.saw(obj)
        return obj

    def pods_of(self, obj: Obj) -> list[Obj]:
        """Pods that run for a Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or CronJob, or that a Service selects."""
        self._require_answer()
        self._record.kinds.update(("Pod", "ReplicaSet", "Job"))  # the owners through which they are found
        found = self._world.pods_of(obj)
        self._record.saw_list(found)
        return found

    def owned_by(self, obj: Obj, kind: str) -> list[Obj]:
        """Objects of `kind` whose controller is `obj`."""
        kind = self._open(kind)
        found = self._world.children(obj, kind)
        self._record.saw_list(found)
        return found

    def endpoints_of(self, service: Obj) -> list[Obj]:
        """A Service's ready addresses: [{"ip", "port", "name", "pod", "node"}]."""
        self._require_answer()
        self._record.kinds.add("EndpointSlice")
        return self._world.endpoints_of(service)

    def events_of(self, obj: Obj) -> list[Obj]:
        """What happened to the object, newest first."""
        self._require_answer()
        self._record.kinds.add("Event")
        return self._world.events_of(obj)

    def history(self, kind: str, name: str, namespace: str | None = None) -> list[Obj]:
        """What happened to an object of this name, newest first. A check that asks for no more does not look at the object.

        Yet while more is about to happen to it, a failure waits.
        """
        found = self._world.find(self._open(kind), name, namespace or "")
        if found and (on_its_way := settling(self._world, found)):
            self._record.settling.append(on_its_way)
        return self.events_of(found) if found else []

    def log_of(self, pod: Obj, container: str | None = None) -> list[str]:
        """Last lines of a container that crashed or is not ready; empty for one that is well."""
        self._require_answer()
        self._record.kinds.add("Pod")
        found: ContainerLog | None = self._world.log_of(pod, container)
        return found.lines if found else []

    def images(self, node: str | None = None) -> list[str]:
        """Names of the images that the nodes have, or one node."""
        self._require_answer()
        self._record.kinds.add("Node")
        return self._world.images(node)

    def typed(self, obj: Obj) -> Any:
        """The official kubernetes client's model of an object: `typed(web).spec.replicas`."""
        from courselab.grade.typed import model_of

        return model_of(obj)

    def _open(self, kind: str) -> str:
        """The kind's canonical name, once it is sure that it may be read and was collected."""
        name = kinds.canonical(kind)
        self._require_answer()
        if self._reads is not None and name not in self._reads:
            near = nearest(name, kinds.KNOWN)
            meant = f" (or did you mean {near}?)" if near and near != name else ""
            raise CheckerMistake(f'the check reads {name} without saying so: add "{name}" to reads=[...]{meant}')
        lists = self._world.evidence.cluster.kinds
        if name not in lists:
            raise NotCollected(self._why_missing(name))
        self._record.kinds.add(name)
        if lists[name].trimmed:
            self._record.trimmed.add(name)
        return name

    def _why_missing(self, kind: str) -> str:
        for missing in self._world.evidence.missing:
            if missing.what == f"cluster/{kind}":
                return f"The list of {kind} objects could not be had: {missing.why}"
        return f"This Evidence has no list of {kind} objects."

    def _require_answer(self) -> None:
        state = self._world.evidence.cluster
        if state.reachable:
            return
        if not state.asked:
            raise NotCollected(f"The cluster could not be asked: {state.why}")
        raise down(self._world, self._record)

    def _not_there(self, kind: str, name: str, namespace: str) -> Failure:
        world = self._world
        everywhere = world.objects(kind)
        scoped = world.namespaced(kind)
        where = f" in namespace {namespace}" if scoped else ""
        elsewhere = sorted({namespace_of(obj) for obj in everywhere if name_of(obj) == name and scoped})
        here = sorted(name_of(obj) for obj in everywhere if not scoped or namespace_of(obj) == namespace)
        near = nearest(name, here)
        if elsewhere:
            actual = f"there is one in namespace {', '.join(elsewhere[:SHOWN_NAMES])}"
        elif scoped and namespace != "default" and world.objects("Namespace") and not world.find("Namespace", namespace):
            actual = f"there is no namespace {namespace}"
        elif near:
            actual = f"there is one named {near}"
        elif here:
            actual = f"there {'is' if len(here) == 1 else 'are'}: {', '.join(here[:SHOWN_NAMES])}{' …' if len(here) > SHOWN_NAMES else ''}"
        else:
            actual = f"no {kind} at all{where}"
        namespace_flag = " -A" if scoped else ""
        return Failure(
            f"There is no {kind} {name}{where}: {actual}" if not actual.startswith("no ") else f"There is no {kind} {name}{where}",
            expected=f"{kind} {name}{where}",
            actual=actual,
            next=f"kubectl get {kind.lower()}{namespace_flag}",
        )


def down(world: World, record: Record) -> ClusterDown:
    """What to say when machines answer and the Kubernetes API does not: the state of the unit that should serve it."""
    for machine, node in world.evidence.nodes.items():
        unit = node.units.get("k3s")
        if node.reachable and unit is not None and (unit.load != "not-found" or len(world.evidence.nodes) == 1):
            record.units.append((machine, "k3s"))
            return _unit_down(machine, unit)
    return ClusterDown(
        f"The Kubernetes API does not answer: {world.evidence.cluster.why}",
        expected="a Kubernetes API that answers",
        actual=world.evidence.cluster.why,
    )


def _unit_down(machine: str, unit: UnitState) -> ClusterDown:
    if unit.load == "not-found":
        return ClusterDown(
            f"There is no K3s on machine {machine}", expected="unit k3s.service", actual="no such unit", next="systemctl status k3s"
        )
    state = f"{unit.active} ({unit.sub})" if unit.sub else unit.active
    if unit.active == "active":
        message = f"K3s runs on machine {machine}, but its API does not answer"
    else:
        message = f"K3s does not run on machine {machine}: its unit is {state}"
    return ClusterDown(
        message, expected="unit k3s.service active, and an API that answers", actual=state, next="sudo journalctl -u k3s -n 50"
    )


def describe(obj: Obj) -> str:
    """An object in a sentence, with its namespace."""
    namespace = namespace_of(obj)
    return f"{title_of(obj)} in namespace {namespace}" if namespace else title_of(obj)
