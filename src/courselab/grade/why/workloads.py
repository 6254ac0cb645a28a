"""Why a workload has not the pods it should have: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, HelmChart."""

from __future__ import annotations

from courselab.grade.dig import Obj, dig, number, rows, text
from courselab.grade.settle import is_true, outdated, settling
from courselab.grade.why.walk import Walk
from courselab.grade.world import is_dying, name_of, namespace_of, revision_of

PODS_LOOKED_AT = 8


def deployment(walk: Walk, obj: Obj) -> None:
    """The newest ReplicaSet's pods first, then what the Deployment itself says."""
    base = {"name": name_of(obj), "namespace": namespace_of(obj)}
    if dig(obj, "spec", "replicas") == 0:
        walk.signal("deployment", "ScaledToZero", **base)
        return
    sets = sorted(walk.world.children(obj, "ReplicaSet"), key=revision_of, reverse=True)
    for replica_set in sets:
        if dig(replica_set, "spec", "replicas"):
            walk.into(replica_set)
    if dig(obj, "spec", "paused") and settling(walk.world, obj):
        walk.signal("deployment", "Paused", **base)
    conditions = [] if outdated(walk.world, obj) else rows(obj, "status", "conditions")
    for condition in conditions:
        if condition.get("status") == "False" and text(condition, "reason") == "ProgressDeadlineExceeded" and not walk.causes:
            walk.signal("deployment", "ProgressDeadlineExceeded", deadline=number(obj, "spec", "progressDeadlineSeconds"), **base)
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True" and not walk.causes:
            walk.signal("event", "FailedCreate", text(condition, "message"), **base)
    if not walk.causes:
        walk.events(obj, **base)


def replicas(walk: Walk, obj: Obj) -> None:
    """Pods that could not be created, then pods that are not well. Also for StatefulSets and DaemonSets."""
    wanted = dig(obj, "spec", "replicas")
    have = len(walk.world.pods_of(obj))
    # Events outlive what they tell of: a quota that held pods back an hour ago does not explain why one is not ready now.
    if wanted is None or have < int(wanted):
        walk.events(obj, namespace=namespace_of(obj))
    _pods(walk, obj)


def _pods(walk: Walk, obj: Obj) -> None:
    unwell = [pod for pod in walk.world.pods_of(obj) if not is_true(pod, "Ready")]
    for pod in unwell[:PODS_LOOKED_AT]:
        walk.into(pod)


def job(walk: Walk, obj: Obj) -> None:
    """The pods of a Job, then its own verdict."""
    _pods(walk, obj)
    base = {"name": name_of(obj), "namespace": namespace_of(obj)}
    for condition in rows(obj, "status", "conditions"):
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            walk.signal("job", text(condition, "reason"), text(condition, "message"), **base)
    if not number(obj, "status", "active") and not is_true(obj, "Complete"):
        walk.events(obj, namespace=namespace_of(obj))


def cron_job(walk: Walk, obj: Obj) -> None:
    """The newest Job that a CronJob made."""
    jobs = sorted(walk.world.children(obj, "Job"), key=lambda found: text(found, "metadata", "creationTimestamp"))
    for found in jobs[-1:]:
        walk.into(found)
    walk.events(obj, namespace=namespace_of(obj))


def helm_chart(walk: Walk, obj: Obj) -> None:
    """The Job that installs a chart."""
    found = walk.world.find("Job", text(obj, "status", "jobName"), namespace_of(obj))
    if found:
        walk.into(found)
    walk.events(obj, namespace=namespace_of(obj))


def addon(walk: Walk, obj: Obj) -> None:
    """What happened to a manifest, unless it could be applied since, or is just being applied."""
    if settling(walk.world, obj):
        return
    newest = next((text(event, "reason") for event in walk.world.events_of(obj) if text(event, "reason") != "ApplyingManifest"), "")
    if newest != "AppliedManifest":
        walk.events(obj, namespace=namespace_of(obj))


def is_alive(obj: Obj) -> bool:
    """Whether a pod is neither dying nor done."""
    return not is_dying(obj) and text(obj, "status", "phase") not in ("Succeeded", "Failed")
