"""Evidence, indexed: finding objects, what owns what, which pods a Service reaches, what happened to an object."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from courselab.grade.dig import Obj, dig, number, rows, table, text, texts
from courselab.grade.evidence import ContainerLog, Evidence
from courselab.grade.selectors import selects


class World:
    """Look-ups over one Evidence. Knows nothing of checks; `why` and the checks' view are built on it."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._by_name: dict[str, dict[tuple[str, str], Obj]] = {}
        self._children: dict[str, list[Obj]] | None = None
        self._events: dict[tuple[str, str, str], list[Obj]] | None = None
        self._logs: dict[tuple[str, str], list[ContainerLog]] | None = None

    def objects(self, kind: str) -> list[Obj]:
        """All objects of a kind; empty if the kind was not collected."""
        found = self.evidence.cluster.kinds.get(kind)
        return found.items if found else []

    def namespaced(self, kind: str) -> bool:
        """Whether objects of this kind live in namespaces."""
        found = self.evidence.cluster.kinds.get(kind)
        return found.namespaced if found else True

    def find(self, kind: str, name: str, namespace: str = "") -> Obj | None:
        """One object; `namespace` is ignored for kinds that have none."""
        if kind not in self._by_name:
            self._by_name[kind] = {(namespace_of(obj), name_of(obj)): obj for obj in self.objects(kind)}
        return self._by_name[kind].get((namespace if self.namespaced(kind) else "", name))

    def children(self, obj: Obj, kind: str | None = None) -> list[Obj]:
        """Objects whose controller is `obj`."""
        if self._children is None:
            self._children = {}
            for lists in self.evidence.cluster.kinds.values():
                for child in lists.items:
                    owner = controller_of(child)
                    if owner:
                        self._children.setdefault(owner["uid"], []).append(child)
        found = self._children.get(uid_of(obj), [])
        return [child for child in found if kind is None or child["kind"] == kind]

    def owner(self, obj: Obj) -> Obj | None:
        """The controller of `obj`, if it was collected."""
        reference = controller_of(obj)
        if not reference:
            return None
        found = self.find(reference["kind"], reference["name"], namespace_of(obj))
        return found if found and uid_of(found) == reference["uid"] else None

    def pods_of(self, obj: Obj) -> list[Obj]:
        """The pods that run for a workload (through its ReplicaSets or Jobs), or that a Service selects. Dying ones are left out."""
        return [pod for pod in self._all_pods_of(obj) if not is_dying(pod)]

    def _all_pods_of(self, obj: Obj) -> Iterator[Obj]:
        if obj["kind"] == "Pod":
            yield obj
        elif obj["kind"] == "Service":
            selector = obj.get("spec", {}).get("selector")
            for pod in self.objects("Pod"):
                if selector and namespace_of(pod) == namespace_of(obj) and selects(selector, labels_of(pod)):
                    yield pod
        else:
            for child in self.children(obj):
                yield from self._all_pods_of(child)

    def endpoint_slices(self, service: Obj) -> list[Obj]:
        """The EndpointSlices that belong to a Service."""
        return [
            piece
            for piece in self.objects("EndpointSlice")
            if namespace_of(piece) == namespace_of(service) and labels_of(piece).get("kubernetes.io/service-name") == name_of(service)
        ]

    def endpoints_of(self, service: Obj) -> list[Obj]:
        """A Service's ready addresses: [{"ip", "port", "name", "pod", "node"}]."""
        return [
            {"ip": address, "port": port.get("port"), "name": text(port, "name"), "pod": text(endpoint, "targetRef", "name"),
             "node": text(endpoint, "nodeName")}
            for piece in self.endpoint_slices(service)
            for endpoint in rows(piece, "endpoints")
            if dig(endpoint, "conditions", "ready") is not False
            for address in texts(endpoint, "addresses")
            for port in rows(piece, "ports") or [{}]
        ]  # fmt: skip

    def events_of(self, obj: Obj) -> list[Obj]:
        """What happened to an object, newest first."""
        if self._events is None:
            self._events = {}
            for event in self.objects("Event"):
                about = table(event, "involvedObject")
                key = (text(about, "kind"), text(about, "namespace"), text(about, "name"))
                self._events.setdefault(key, []).append(event)
        found = self._events.get((obj["kind"], namespace_of(obj), name_of(obj)), [])
        if not found and not namespace_of(obj):  # events about a Node or PersistentVolume are kept in namespace default
            found = self._events.get((obj["kind"], "", name_of(obj)), [])
        uid = uid_of(obj)
        # An event about a former object of the same name says nothing about this one. Nodes are named by their name as uid.
        own = [event for event in found if text(event, "involvedObject", "uid") in (uid, name_of(obj), "")]
        return sorted(own, key=event_time, reverse=True)

    def log_of(self, pod: Obj, container: str | None = None) -> ContainerLog | None:
        """Last lines of a container that crashed or is not ready; None if they were not collected."""
        if self._logs is None:
            self._logs = {}
            for log in self.evidence.cluster.logs:
                self._logs.setdefault((log.namespace, log.pod), []).append(log)
        logs = self._logs.get((namespace_of(pod), name_of(pod)), [])
        return next((log for log in logs if container in (None, log.container)), None)

    def images(self, node: str | None = None) -> list[str]:
        """Names of the images that are on the nodes (or on one), without digests, sorted."""
        names: set[str] = set()
        for machine in self.objects("Node"):
            if node in (None, name_of(machine)):
                for image in rows(machine, "status", "images"):
                    names.update(name for name in texts(image, "names") if "@" not in name)
        return sorted(names)


def name_of(obj: Obj) -> str:
    """The object's name."""
    return text(obj, "metadata", "name")


def namespace_of(obj: Obj) -> str:
    """The object's namespace; "" if it has none."""
    return text(obj, "metadata", "namespace")


def uid_of(obj: Obj) -> str:
    """The object's uid."""
    return text(obj, "metadata", "uid")


def labels_of(obj: Obj) -> dict[str, str]:
    """The object's labels."""
    return table(obj, "metadata", "labels")


def title_of(obj: Obj) -> str:
    """How an object is called in a sentence: "Deployment web"."""
    return f"{text(obj, 'kind') or 'object'} {name_of(obj)}"


def is_dying(obj: Obj) -> bool:
    """Whether the object is being deleted."""
    return bool(text(obj, "metadata", "deletionTimestamp"))


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference of the object's controller."""
    return next((reference for reference in rows(obj, "metadata", "ownerReferences") if reference.get("controller")), None)


def revision_of(replica_set: Obj) -> int:
    """Which revision of its Deployment a ReplicaSet is; 0 before it has a number."""
    revision = table(replica_set, "metadata", "annotations").get("deployment.kubernetes.io/revision", "0")
    return int(revision) if str(revision).isdigit() else 0


def event_time(event: Obj) -> float:
    """When an event last happened, Unix seconds."""
    times = [text(event, "series", "lastObservedTime"), text(event, "lastTimestamp"), text(event, "eventTime")]
    return unix_time(next((time for time in times if time), text(event, "metadata", "creationTimestamp")))


def event_count(event: Obj) -> int:
    """How often an event happened."""
    return number(event, "series", "count") or number(event, "count") or 1


def unix_time(text: str | None) -> float:
    """A time as the API writes it, in Unix seconds; 0 if there is none."""
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
