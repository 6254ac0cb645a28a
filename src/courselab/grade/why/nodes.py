"""Why a Node is not ready."""

from __future__ import annotations

from courselab.grade.dig import Obj, dig, rows, text
from courselab.grade.why.walk import Walk
from courselab.grade.world import World, name_of

STARTING_S = 30.0  # K3s that became active less than this ago may not have said yet that its node is ready
_PRESSURES = {"MemoryPressure": "memory", "DiskPressure": "disk space", "PIDPressure": "process numbers"}


def node(walk: Walk, obj: Obj) -> None:
    """Its conditions, and whether it is cordoned where nothing else ails it."""
    name, ready = name_of(obj), True
    for condition in rows(obj, "status", "conditions"):
        kind, status = text(condition, "type"), text(condition, "status")
        if kind == "Ready" and status != "True":
            ready = False
            reason = text(condition, "reason") if status == "False" else "Unknown"
            walk.signal("node", reason, text(condition, "message"), name=name, passing=_has_just_started(walk.world, name))
        elif kind in _PRESSURES and status == "True":
            walk.signal("node", "Pressure", what=_PRESSURES[kind], name=name)
    if ready and dig(obj, "spec", "unschedulable"):  # it makes no node unready
        walk.signal("node", "Cordoned", name=name)


def _has_just_started(world: World, name: str) -> bool:
    """Whether K3s on the machine of a node became active a moment ago: until its kubelet reports, the node looks as lost as before."""
    machine = world.evidence.nodes.get(name)
    units = [machine.units.get(unit) for unit in ("k3s", "k3s-agent")] if machine else []
    return any(one and one.active == "active" and one.since and machine.time - one.since < STARTING_S for one in units if machine)
