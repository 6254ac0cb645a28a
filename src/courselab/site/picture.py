"""What of a lab is drawn: machines with their pods, Services, Ingresses, the way of a request through them, and what is broken and why.

A pure function of Evidence and what the checks said of it, so the same picture can be had from a running lab, from a saved file and in a
notebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from courselab.grade.clean import clean
from courselab.grade.dig import Obj, dig, number, rows, text
from courselab.grade.evidence import Evidence, NodeState
from courselab.grade.report import Result
from courselab.grade.settle import is_true
from courselab.grade.verdict import VerdictName
from courselab.grade.why import explain
from courselab.grade.why.network import backends
from courselab.grade.world import World, is_dying, name_of, namespace_of, title_of, uid_of

PODS_PER_HOST = 16
MOST_THINGS = 12  # Ingresses, and Services
_NAME_CHARACTERS = 63
_SYSTEM = {"kube-system", "kube-public", "kube-node-lease"}
_NOTES = 4
WELL, BUSY, BROKEN, GONE, OTHER = "well", "busy", "broken", "gone", "other"


@dataclass(frozen=True)
class Thing:
    """One box: an object of the cluster, or a machine."""

    key: str
    kind: str
    name: str
    state: str  # well; busy: on its way; broken; gone: something leads to it, and it is not there; other: it works, a task asks for another
    notes: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Host:
    """A machine and the pods on it; without a machine, what has not found a node yet."""

    thing: Thing
    pods: tuple[Thing, ...] = ()
    more: int = 0  # pods that are not shown


@dataclass(frozen=True)
class Arrow:
    """Something leads somewhere; broken if requests do not arrive there."""

    start: str
    end: str
    broken: bool = False


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn."""

    ways_in: tuple[Thing, ...] = ()
    services: tuple[Thing, ...] = ()
    hosts: tuple[Host, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    more: int = 0  # Ingresses and Services that are not shown

    @property
    def things(self) -> tuple[Thing, ...]:
        """Every box."""
        hosts = [box for host in self.hosts for box in (host.thing, *host.pods)]
        return (*self.ways_in, *self.services, *hosts)


def picture_of(evidence: Evidence, results: Iterable[Result] = ()) -> Picture:
    """The picture of a lab at the moment of this Evidence. `results`: what the checks said of it."""
    world = World(evidence)
    services = [one for one in world.objects("Service") if _is_own(one)]
    ways_in = [one for one in world.objects("Ingress") if _is_own(one)]
    named = _Names([*services, *ways_in, *(pod for pod in world.objects("Pod") if _is_own(pod))])
    hosts = tuple(_hosts(world, named))
    shown = {pod.key for host in hosts for pod in host.pods}
    ghosts = list(_missing_services(world, ways_in))[:MOST_THINGS]
    boxes = [_service(world, one, named) for one in services[:MOST_THINGS]]
    arrows = [arrow for one in ways_in[:MOST_THINGS] for arrow in _arrows_of_ingress(world, one)]
    arrows += [arrow for one in services[:MOST_THINGS] for arrow in _arrows_of_service(world, one, shown)]
    picture = Picture(
        ways_in=tuple(_ingress(world, one, named) for one in ways_in[:MOST_THINGS]),
        services=(*boxes, *ghosts),
        hosts=hosts,
        arrows=tuple(dict.fromkeys(arrows)),
        more=max(0, len(services) - MOST_THINGS) + max(0, len(ways_in) - MOST_THINGS),
    )
    return _compared(picture, _asked(world, results))


def sentences(picture: Picture) -> list[str]:
    """The picture in words, for whoever does not see it."""
    said: list[str] = []
    titles = {thing.key: f"{thing.kind} {thing.name}" for thing in picture.things}
    targets: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        if arrow.end in titles:
            targets.setdefault(arrow.start, []).append(titles[arrow.end] + (" (not reached)" if arrow.broken else ""))
    for thing in (*picture.ways_in, *picture.services):
        leads = f" It leads to {', '.join(targets[thing.key])}." if thing.key in targets else ""
        said.append(_told(thing) + leads)
    for host in picture.hosts:
        said.append(_told(host.thing))
        said += [_told(pod) for pod in host.pods]
        said += [f"It has {_count(host.more, 'more pod', 'more pods')}."] if host.more else []
    return said


_STATES = {WELL: "is well", BUSY: "is on its way", BROKEN: "is broken", GONE: "is not there", OTHER: "is not what a task asks for"}


def _told(thing: Thing) -> str:
    state = _STATES[thing.state]
    notes = f" ({', '.join(thing.notes)})" if thing.notes else ""
    return f"{thing.kind} {thing.name}{notes} {state}{f': {thing.reason}' if thing.reason else ''}".rstrip(".") + "."


class _Names:
    """Objects are called by their namespace too where there are several namespaces."""

    def __init__(self, objects: Iterable[Obj]) -> None:
        self._many = len({namespace_of(obj) for obj in objects} - _SYSTEM) > 1

    def of(self, obj: Obj) -> str:
        name, namespace = clean(name_of(obj), _NAME_CHARACTERS), namespace_of(obj)
        return f"{clean(namespace, _NAME_CHARACTERS)}/{name}" if self._many or namespace in _SYSTEM else name


def _is_own(obj: Obj) -> bool:
    """Whether an object is the lab's, not the cluster's own."""
    return not (namespace_of(obj) in _SYSTEM or (namespace_of(obj), name_of(obj)) == ("default", "kubernetes") or is_dying(obj))


def _key(obj: Obj) -> str:
    return uid_of(obj) or f"{title_of(obj)}/{namespace_of(obj)}"


# Ways in and Services ---------------------------------------------------------------------------------------------------------------


def _ingress(world: World, obj: Obj, named: _Names) -> Thing:
    reason = _own_reason(world, obj)
    notes = [
        clean(f"{text(rule, 'host') or 'any host'}{text(path, 'path') or '/'}", 80)
        for rule in rows(obj, "spec", "rules")
        for path in rows(rule, "http", "paths") or [{}]
    ]
    return Thing(_key(obj), "Ingress", named.of(obj), BROKEN if reason else WELL, _few(notes), reason)


def _service(world: World, obj: Obj, named: _Names) -> Thing:
    ports = [f"{port.get('port')} → {port.get('targetPort', port.get('port'))}" for port in rows(obj, "spec", "ports")]
    notes = [clean(", ".join(ports), 60)] if ports else []
    if text(obj, "spec", "type") in ("LoadBalancer", "NodePort"):
        notes.append(clean(text(obj, "spec", "type"), 60))
        notes += [clean(text(one, "ip"), 60) for one in rows(obj, "status", "loadBalancer", "ingress")[:1]]
    ready = len({address["ip"] for address in world.endpoints_of(obj)})
    notes.append(_count(ready, "address", "addresses"))
    reason = _own_reason(world, obj)
    pods = world.pods_of(obj)
    if not reason and not ready and pods:
        reason = "None of its pods is ready."
    waits = text(obj, "spec", "type") == "LoadBalancer" and not rows(obj, "status", "loadBalancer", "ingress")
    state = BROKEN if reason else BUSY if waits or not (ready or text(obj, "spec", "type") == "ExternalName") else WELL
    return Thing(_key(obj), "Service", named.of(obj), state, _few(notes), reason)


def _missing_services(world: World, ways_in: Iterable[Obj]) -> Iterator[Thing]:
    """Services that an Ingress leads to and that are not there."""
    seen: set[str] = set()
    for obj in ways_in:
        for backend in backends(obj):
            key = _ghost_key(obj, backend["name"])
            if backend["name"] and key not in seen and not world.find("Service", backend["name"], namespace_of(obj)):
                seen.add(key)
                yield Thing(key, "Service", clean(backend["name"], _NAME_CHARACTERS), GONE, (), "No Service of this name is here.")


def _ghost_key(ingress: Obj, service: str) -> str:
    return f"gone/{namespace_of(ingress)}/{service}"


def _arrows_of_ingress(world: World, obj: Obj) -> Iterator[Arrow]:
    own = bool(_own_reason(world, obj))
    for backend in backends(obj):
        found = world.find("Service", backend["name"], namespace_of(obj))
        if found is None:
            yield Arrow(_key(obj), _ghost_key(obj, backend["name"]), broken=True)
        else:
            yield Arrow(_key(obj), _key(found), broken=own or not world.endpoints_of(found))


def _arrows_of_service(world: World, obj: Obj, shown: set[str]) -> Iterator[Arrow]:
    ready = {address["pod"] for address in world.endpoints_of(obj)}
    own = bool(_own_reason(world, obj))
    for pod in world.pods_of(obj):
        if _key(pod) in shown:
            yield Arrow(_key(obj), _key(pod), broken=own or name_of(pod) not in ready)


# Machines and pods ------------------------------------------------------------------------------------------------------------------


def _hosts(world: World, named: _Names) -> Iterator[Host]:
    pods: dict[str, list[Obj]] = {}
    for pod in world.objects("Pod"):
        if not is_dying(pod):
            pods.setdefault(text(pod, "spec", "nodeName"), []).append(pod)
    nodes = {name_of(node): node for node in world.objects("Node")}
    for machine in dict.fromkeys([*world.evidence.nodes, *nodes]):
        yield _host(world, _machine(world, machine, nodes.get(machine)), pods.pop(machine, []), named)
    waiting = [pod for left in pods.values() for pod in left]
    barren = list(_without_pods(world, named))
    if waiting or barren:
        thing = Thing("no-node", "Waiting", "for a node", BUSY, (), "")
        host = _host(world, thing, waiting, named)
        yield replace(host, pods=(*host.pods, *barren[:PODS_PER_HOST]))


def _machine(world: World, name: str, node: Obj | None) -> Thing:
    state = world.evidence.nodes.get(name)
    address = state.address if state else next((text(one, "address") for one in rows(node, "status", "addresses")), "")
    version = text(node, "status", "nodeInfo", "kubeletVersion")
    notes = tuple(note for note in (clean(address, 60), clean(version, 40)) if note)
    kind, how, reason = _machine_state(world, state, node)
    return Thing(f"machine/{name}", kind, clean(name, _NAME_CHARACTERS), how, notes, reason)


def _machine_state(world: World, state: NodeState | None, node: Obj | None) -> tuple[str, str, str]:
    """What a machine is called in the picture, how it is, and why. `state`: what it says of itself; `node`: what the cluster says of it."""
    if state is not None and not state.reachable:
        return "Machine", BROKEN, clean(state.why) or "It does not answer."
    if state is not None and not state.k3s.installed and node is None:
        return "Machine", BUSY, "K3s is not installed on it."
    if not world.evidence.cluster.reachable:
        return "Machine", BROKEN, clean(world.evidence.cluster.why)
    if node is None:
        return "Machine", BUSY, "It is not a node of the cluster."
    reason = _reason(world, node)
    if not reason and not is_true(node, "Ready"):
        return "Node", BUSY, "No machine reports that it is ready as this node."
    return "Node", BROKEN if reason else WELL, reason


def _host(world: World, thing: Thing, pods: list[Obj], named: _Names) -> Host:
    """The lab's own pods; of the cluster's only those that are not well, and how many there are."""
    boxes = [(pod, _pod(world, pod, named)) for pod in sorted(pods, key=lambda pod: (namespace_of(pod), name_of(pod)))]
    system = [box for pod, box in boxes if namespace_of(pod) in _SYSTEM]
    shown = [box for pod, box in boxes if namespace_of(pod) not in _SYSTEM or box.state == BROKEN]
    notes = (*thing.notes, f"{_count(len(system), 'pod', 'pods')} of the cluster's own") if system else thing.notes
    return Host(replace(thing, notes=notes), tuple(shown[:PODS_PER_HOST]), max(0, len(shown) - PODS_PER_HOST))


def _pod(world: World, pod: Obj, named: _Names) -> Thing:
    ready = is_true(pod, "Ready")
    done = text(pod, "status", "phase") == "Succeeded"
    reason = "" if ready or done else _reason(world, pod)
    state = WELL if ready or done else BROKEN if reason else BUSY
    images = [text(one, "image").removeprefix("docker.io/") for one in rows(pod, "spec", "containers")]
    restarts = sum(number(one, "restartCount") for one in rows(pod, "status", "containerStatuses"))
    notes = [clean(", ".join(images), 48), *([_count(restarts, "restart", "restarts")] if restarts else []), *(["done"] if done else [])]
    return Thing(_key(pod), "Pod", named.of(pod), state, _few(note for note in notes if note), reason)


def _without_pods(world: World, named: _Names) -> Iterator[Thing]:
    """Workloads that should have pods and have none."""
    for kind in ("Deployment", "StatefulSet"):
        for obj in world.objects(kind):
            wanted = dig(obj, "spec", "replicas")
            if _is_own(obj) and wanted != 0 and not world.pods_of(obj):
                reason = _reason(world, obj)
                yield Thing(_key(obj), kind, named.of(obj), BROKEN if reason else BUSY, ("no pods",), reason)


# Tasks ------------------------------------------------------------------------------------------------------------------------------


def _asked(world: World, results: Iterable[Result]) -> dict[str, str]:
    """What the tasks that are not done yet say of objects, by the key of their boxes."""
    drawn = {uid_of(obj): obj for kind in ("Node", "Ingress", "Service", "Pod") for obj in world.objects(kind)}
    said: dict[str, str] = {}
    for result in results:
        if result.verdict is VerdictName.FAIL:
            about = [drawn[uid] for uid in result.about if uid in drawn]
            for obj in [one for one in about if _names(result.message, name_of(one))] or about:
                key = f"machine/{name_of(obj)}" if obj.get("kind") == "Node" else _key(obj)
                said.setdefault(key, f"{result.id}: {result.message}")
    return said


def _names(message: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", message) is not None


def _compared(picture: Picture, asked: Mapping[str, str]) -> Picture:
    """The same picture, where each object that works but is not what a task asks for says so."""

    def seen(thing: Thing) -> Thing:
        plain = thing.key in asked and thing.state in (WELL, BUSY)
        return replace(thing, state=OTHER, reason=asked[thing.key]) if plain else thing

    return replace(
        picture,
        ways_in=tuple(map(seen, picture.ways_in)),
        services=tuple(map(seen, picture.services)),
        hosts=tuple(replace(host, thing=seen(host.thing), pods=tuple(map(seen, host.pods))) for host in picture.hosts),
    )


# Reasons ----------------------------------------------------------------------------------------------------------------------------


def _reason(world: World, obj: Obj) -> str:
    return next((clean(cause.sentence) for cause in explain(world, obj).causes), "")


def _own_reason(world: World, obj: Obj) -> str:
    """What is wrong with the object itself, not with what it leads to."""
    return next((clean(cause.sentence) for cause in explain(world, obj).causes if len(cause.chain) <= 1), "")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _few(notes: Iterable[str]) -> tuple[str, ...]:
    found = list(dict.fromkeys(notes))
    return tuple(found if len(found) <= _NOTES else [*found[: _NOTES - 1], f"and {len(found) - _NOTES + 1} more"])
