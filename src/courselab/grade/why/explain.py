"""`explain(world, obj)`: the causes of an object's state."""

from __future__ import annotations

from courselab.grade.dig import Obj
from courselab.grade.why.network import ingress, service
from courselab.grade.why.nodes import node
from courselab.grade.why.pods import pod
from courselab.grade.why.storage import claim
from courselab.grade.why.walk import Walk, Walker, Why
from courselab.grade.why.workloads import addon, cron_job, deployment, helm_chart, job, replicas
from courselab.grade.world import World

WALKERS: dict[str, Walker] = {
    "Addon": addon,
    "CronJob": cron_job,
    "DaemonSet": replicas,
    "Deployment": deployment,
    "HelmChart": helm_chart,
    "Ingress": ingress,
    "Job": job,
    "Node": node,
    "PersistentVolumeClaim": claim,
    "Pod": pod,
    "ReplicaSet": replicas,
    "Service": service,
    "StatefulSet": replicas,
}


def explain(world: World, *objects: Obj) -> Why:
    """What explains the state of these objects; without causes if they are well, or nothing is known. Reads Evidence only."""
    walk = Walk(world, WALKERS)
    for obj in objects:
        walk.into(obj)
    # A cause that waiting cannot mend weighs more than one it may; otherwise the order in which they were found.
    return Why(tuple(sorted(walk.causes, key=lambda cause: not cause.terminal)))
