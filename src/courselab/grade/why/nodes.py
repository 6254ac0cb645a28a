"""Why a Node is not ready."""

from __future__ import annotations

from courselab.grade.dig import Obj, dig, rows, text
from courselab.grade.why.walk import Walk
from courselab.grade.world import name_of

_PRESSURES = {"MemoryPressure": "memory", "DiskPressure": "disk space", "PIDPressure": "process numbers"}


def node(walk: Walk, obj: Obj) -> None:
    """Its conditions, and whether it is cordoned where nothing else ails it."""
    name, ready = name_of(obj), True
    for condition in rows(obj, "status", "conditions"):
        kind, status = text(condition, "type"), text(condition, "status")
        if kind == "Ready" and status != "True":
            ready = False
            reason = text(condition, "reason") if status == "False" else "Unknown"
            walk.signal("node", reason, text(condition, "message"), name=name)
        elif kind in _PRESSURES and status == "True":
            walk.signal("node", "Pressure", what=_PRESSURES[kind], name=name)
    if ready and dig(obj, "spec", "unschedulable"):  # it makes no node unready
        walk.signal("node", "Cordoned", name=name)
