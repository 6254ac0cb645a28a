"""Is an object still on its way to another state? A check never passes on one that is, and a failure may wait for it."""

from __future__ import annotations

from collections.abc import Callable

from courselab.grade.dig import Obj, dig, number, rows, table, text
from courselab.grade.evidence import cluster_time
from courselab.grade.world import (
    World,
    event_time,
    is_dying,
    name_of,
    namespace_of,
    revision_of,
    title_of,
    uid_of,
    unix_time,
)

NOTICED_S = 5.0  # within this time the helm-controller replaces the Job of a HelmChart that was changed
PLACED_S = 3.0  # within this time what is placed on nodes follows a change of a node
APPLIED_S = 15.0  # within this time K3s has applied a manifest that it has begun with
_ROLLED_OUT = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")  # to a ReplicaSet


def settling(world: World, obj: Obj) -> str:
    """What an object is in the middle of, as a sentence; "" if it has settled."""
    if found := outdated(world, obj) or _unfinished(world, obj):
        return found
    placed = text(obj, "kind") == "DaemonSet" and just_changed(world, "Node", PLACED_S)
    return f"{title_of(obj)} may be placed anew: a node has just been changed" if placed else ""


def _unfinished(world: World, obj: Obj) -> str:
    rule = _RULES.get(text(obj, "kind"))
    found = rule(world, obj) if rule else ""
    return f"{title_of(obj)} {found}" if found else ""


def leaving(world: World, obj: Obj) -> str:
    """Like settling, but only what makes the present state one that will not last: a rollout, a deletion, a change not yet noticed.

    A Service without its address or a pod that is starting is on its way too, yet what a check found of it stays true.
    """
    if found := outdated(world, obj):
        return found
    if (chart := _chart_of(world, obj)) and _job_of(world, chart) and (found := _renewed(world, chart, surely=True)):
        return f"{title_of(chart)} {found}"
    return _unfinished(world, obj) if text(obj, "kind") in _ROLLED_OUT else ""


def ending(world: World, obj: Obj) -> str:
    """Whether the object is about to go, by itself or with its namespace, as a sentence."""
    if is_dying(obj):
        return f"{title_of(obj)} is being deleted"
    namespace = world.find("Namespace", namespace_of(obj)) if namespace_of(obj) else None
    return f"{title_of(namespace)} is being deleted, with all that is in it" if namespace and is_dying(namespace) else ""


def outdated(world: World, obj: Obj) -> str:
    """Like leaving, but only a deletion, or a status that is of another spec: for what need not settle."""
    return ending(world, obj) or (f"{title_of(obj)} has just been changed" if _behind(obj) else "")


def superseded(world: World, obj: Obj) -> bool:
    """Whether a pod or ReplicaSet is of before its workload's last change: what ails it is not why the new ones are not there yet."""
    made_from = world.owner(obj) if text(obj, "kind") == "Pod" else obj
    if made_from is None or text(made_from, "kind") != "ReplicaSet":
        return made_from is not None and made_from is not obj and _behind(made_from)
    owner = world.owner(made_from)
    if owner is None or text(owner, "kind") != "Deployment":
        return False
    return _behind(owner) or revision_of(made_from) < revision_of(_newest(world, owner) or made_from)


def _newest(world: World, deployment: Obj) -> Obj | None:
    return max(world.children(deployment, "ReplicaSet"), key=revision_of, default=None)


def just_changed(world: World, kind: str, within_s: float = NOTICED_S) -> list[Obj]:
    """The objects of a kind that were changed, but for their status, less than this ago."""
    return [obj for obj in world.objects(kind) if _is_young(world, obj, within_s)]


def _is_young(world: World, obj: Obj, seconds: float) -> bool:
    return cluster_time(world.evidence) - _changed_at(world, obj) < seconds


def _behind(obj: Obj) -> bool:
    """Whether the controller has not seen the newest spec. Kinds without observedGeneration are never behind."""
    if text(obj, "kind") not in _ROLLED_OUT:
        return False
    return number(obj, "metadata", "generation") > number(obj, "status", "observedGeneration")


def _wanted(obj: Obj) -> int:
    replicas = dig(obj, "spec", "replicas")
    return 1 if replicas is None else int(replicas)


def _deployment(world: World, obj: Obj) -> str:
    wanted, status = _wanted(obj), table(obj, "status")
    updated, total = number(status, "updatedReplicas"), number(status, "replicas")
    paused = " and is paused" if dig(obj, "spec", "paused") else ""
    if updated < wanted:
        return f"is rolling out{paused}: {updated} of {wanted} pods are of the new kind"
    if total > updated:
        return f"is rolling out{paused}: {total - updated} of the old pods are still there"
    return _available(number(status, "availableReplicas"), wanted) or _annotated(world, obj)


def _annotated(world: World, obj: Obj) -> str:
    """Annotations change no generation. The Deployment's newest ReplicaSet, where the history is kept, gets them a moment later."""
    newest = _newest(world, obj)
    if newest is None or not _is_young(world, obj, NOTICED_S):
        return ""
    wanted, there = table(obj, "metadata", "annotations"), table(newest, "metadata", "annotations")
    copied = (key for key in wanted if key not in _NOT_COPIED)
    return "has just been changed" if any(there.get(key) != wanted[key] for key in copied) else ""


def _available(available: int, wanted: int) -> str:
    return f"has {available} of {wanted} pods available" if available < wanted else ""


def _stateful_set(world: World, obj: Obj) -> str:
    status, wanted = table(obj, "status"), _wanted(obj)
    on_delete = text(obj, "spec", "updateStrategy", "type") == "OnDelete"
    partition = number(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    revision = text(status, "updateRevision")
    if not on_delete and not partition and revision and text(status, "currentRevision") != revision:
        return f"is rolling out: {number(status, 'updatedReplicas')} of {wanted} pods are of the new kind"
    return _available(number(status, "availableReplicas"), wanted)


def _daemon_set(world: World, obj: Obj) -> str:
    status = table(obj, "status")
    wanted = number(status, "desiredNumberScheduled")
    if number(status, "updatedNumberScheduled") < wanted:
        return f"is rolling out: {number(status, 'updatedNumberScheduled')} of {wanted} pods are of the new kind"
    return _available(number(status, "numberAvailable"), wanted)


def _replica_set(world: World, obj: Obj) -> str:
    return _available(number(obj, "status", "availableReplicas"), _wanted(obj))


def _pod(world: World, obj: Obj) -> str:
    phase = text(obj, "status", "phase")
    if phase in ("Succeeded", "Failed"):
        return ""
    return "" if is_true(obj, "Ready") else "is starting" if phase == "Pending" else "is not ready"


def _job(world: World, obj: Obj) -> str:
    if dig(obj, "spec", "suspend") or is_true(obj, "Complete") or is_true(obj, "Failed"):
        return ""
    return "has not finished"


def _claim(world: World, obj: Obj) -> str:
    if text(obj, "status", "phase") != "Pending":
        return ""
    storage = world.find("StorageClass", text(obj, "spec", "storageClassName"))
    if storage and text(storage, "volumeBindingMode") == "WaitForFirstConsumer" and not (pods_using(world, obj) or _soon_used(world, obj)):
        return ""
    return "is not bound yet"


def _soon_used(world: World, claim: Obj) -> bool:
    """Whether a workload that is rolling out will make pods that mount a PersistentVolumeClaim."""
    makers = [one for kind in ("Deployment", "StatefulSet") for one in world.objects(kind) if namespace_of(one) == namespace_of(claim)]
    return any(_mounts(table(one, "spec", "template", "spec"), claim) and settling(world, one) for one in makers)


def _mounts(spec: Obj, claim: Obj) -> bool:
    return any(text(volume, "persistentVolumeClaim", "claimName") == name_of(claim) for volume in rows(spec, "volumes"))


def pods_using(world: World, claim: Obj) -> list[Obj]:
    """The pods that mount a PersistentVolumeClaim."""
    return [pod for pod in world.objects("Pod") if namespace_of(pod) == namespace_of(claim) and _mounts(table(pod, "spec"), claim)]


def _service(world: World, obj: Obj) -> str:
    if text(obj, "spec", "type") == "LoadBalancer" and not rows(obj, "status", "loadBalancer", "ingress"):
        return "has no external address yet"
    if table(obj, "spec", "selector") and "EndpointSlice" in world.evidence.cluster.kinds:
        reached = {endpoint["pod"] for endpoint in world.endpoints_of(obj)}
        ready = {name_of(pod) for pod in world.pods_of(obj) if is_true(pod, "Ready")}
        if (reached != ready and not dig(obj, "spec", "publishNotReadyAddresses")) or (reached and not _ports_agree(world, obj)):
            return "has endpoints that are being updated"
    return ""


def _ports_agree(world: World, obj: Obj) -> bool:
    """Whether a Service's endpoints have the ports that it sends to now; those that it calls by a name each pod has its own."""
    sends_to = {(text(port, "name"), port.get("targetPort", port.get("port"))) for port in rows(obj, "spec", "ports")}
    numbers = {(name, port) for name, port in sends_to if isinstance(port, int)}
    names = {name for name, _ in numbers}
    there = {(endpoint["name"], endpoint["port"]) for endpoint in world.endpoints_of(obj) if endpoint["port"]}
    return not there or {(name, port) for name, port in there if name in names} == numbers


def _ingress(world: World, obj: Obj) -> str:
    name = text(obj, "spec", "ingressClassName")
    claimed = world.find("IngressClass", name) if name else None
    return "has not been taken up by its controller yet" if claimed and not rows(obj, "status", "loadBalancer", "ingress") else ""


def _namespace(world: World, obj: Obj) -> str:
    return "is being deleted" if text(obj, "status", "phase") == "Terminating" else ""


def _node(world: World, obj: Obj) -> str:
    return "" if is_true(obj, "Ready") else "is not ready"


def _addon(world: World, obj: Obj) -> str:
    """K3s says when it begins to apply a manifest, and when it has ended, well or not."""
    events = world.events_of(obj)
    begun = max((event_time(one) for one in events if text(one, "reason") == "ApplyingManifest"), default=0.0)
    ended = max((event_time(one) for one in events if text(one, "reason") != "ApplyingManifest"), default=0.0)
    return "is being applied" if begun > ended and cluster_time(world.evidence) - begun < APPLIED_S else ""


def _chart(world: World, obj: Obj) -> str:
    if not _names_a_chart(obj):
        return ""
    job = _job_of(world, obj)
    ended = job is not None and (is_true(job, "Complete") or is_true(job, "Failed"))
    return _renewed(world, obj) or ("" if ended else "is being installed")


def renewing(world: World, obj: Obj) -> str:
    """Whether a HelmChart, or the one that an object is of, is about to have a new Job, as a sentence: what is there now counts no more.

    An object that is there was made by a Job; if that is gone, none is awaited.
    """
    chart = _chart_of(world, obj)
    if not chart or not _names_a_chart(chart) or (chart is not obj and not _job_of(world, chart)):
        return ""
    found = _renewed(world, chart)
    return f"{title_of(chart)} {found}" if found else ""


def _chart_of(world: World, obj: Obj) -> Obj | None:
    """The HelmChart that an object is, or that made it: a release has its HelmChart's name, and is in its target namespace, else in its own."""
    if text(obj, "kind") == "HelmChart":
        return obj
    release = text(obj, "metadata", "annotations", "meta.helm.sh/release-name")
    namespace = text(obj, "metadata", "annotations", "meta.helm.sh/release-namespace")
    for chart in world.objects("HelmChart") if release else ():
        if name_of(chart) == release and (text(chart, "spec", "targetNamespace") or namespace_of(chart)) == namespace:
            return chart
    return None


def _names_a_chart(obj: Obj) -> bool:
    """Whether a HelmChart says what to install: for one that does not, no Job is ever made."""
    return bool(text(obj, "spec", "chart") or text(obj, "spec", "chartContent"))


def _renewed(world: World, obj: Obj, *, surely: bool = False) -> str:
    """A Job is made suspended, and suspended before it is replaced; after a change the one of before is still there for a moment.

    `surely`: a Job that was made in the second of the change is the new one. Times have no parts of a second.
    """
    job = _job_of(world, obj)
    if job is None or dig(job, "spec", "suspend"):
        return "is being installed"
    config = world.find("HelmChartConfig", name_of(obj), namespace_of(obj))
    changed = max(_changed_at(world, one) for one in (obj, config) if one)
    made = unix_time(text(job, "metadata", "creationTimestamp"))
    old = made < changed or (made == changed and not surely)
    return "has just been changed" if old and cluster_time(world.evidence) - changed < NOTICED_S else ""


def _job_of(world: World, chart: Obj) -> Obj | None:
    return world.find("Job", text(chart, "status", "jobName"), namespace_of(chart))


def _changed_at(world: World, obj: Obj) -> float:
    """When its spec last changed, Unix seconds; 0 if that is long ago."""
    return world.evidence.cluster.kinds[text(obj, "kind")].changed.get(uid_of(obj), 0.0)


def is_true(obj: Obj, condition: str) -> bool:
    """Whether a condition of the object's status is True."""
    return any(row.get("type") == condition and row.get("status") == "True" for row in rows(obj, "status", "conditions"))


_RULES: dict[str, Callable[[World, Obj], str]] = {
    "Addon": _addon,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "HelmChart": _chart,
    "Ingress": _ingress,
    "Job": _job,
    "Namespace": _namespace,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
