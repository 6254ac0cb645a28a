"""JSON as Multipass 1.16 prints it, or, with `main`, as 1.17 does: which values are strings, which keys are there when."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from multipass_standin.world import Instance

GIB = 1 << 30
LIVE = ("Running", "Delayed Shutdown")
VERSION, MAIN_VERSION = "1.16.3", "1.17.0-dev"
ZONE = {"name": "zone1", "available": True}


def dumps(value: Any) -> str:
    return json.dumps(value, indent=4) + "\n"


def human(size: int) -> str:
    return f"{size / GIB:.1f}GiB" if size >= GIB else f"{size / (1 << 20):.1f}MiB"


def list_row(instance: Instance, state: str, ipv4: list[str], *, main: bool) -> dict[str, Any]:
    release = "Ubuntu 24.04 LTS" if instance.release else "Not Available"
    row: dict[str, Any] = {"name": instance.name, "state": state, "ipv4": ipv4 if state in LIVE else [], "release": release}
    return {**row, "zone": ZONE} if main else row


def info_entry(instance: Instance, state: str, guest: dict[str, Any], *, main: bool) -> dict[str, Any]:
    live = state in LIVE
    entry: dict[str, Any] = {
        "state": state,
        "image_hash": hashlib.sha256(instance.release.encode()).hexdigest(),
        "image_release": "24.04 LTS",
        "release": guest.get("release", "") if live else "",
        "cpu_count": guest.get("cpus", "") if live else "",
        "snapshot_count": str(len(instance.snapshots)),
        "load": guest.get("load", []) if live else [],
        "disks": {"sda1": guest.get("disk", {}) if live else {}},
        "memory": guest.get("memory", {}) if live else {},
        "ipv4": guest.get("ipv4", []) if live else [],
        "mounts": {},
    }
    return {**entry, "zone": ZONE} if main else entry


def snapshot_entry(instance: Instance, name: str) -> dict[str, Any]:
    found = next(one for one in instance.snapshots if one.name == name)
    return {
        "parent": found.parent,
        "children": [one.name for one in instance.snapshots if one.parent == name],
        "comment": found.comment,
        "created": found.created,
        "cpu_count": str(instance.cpus),
        "memory_size": human(instance.memory),
        "disk_space": human(instance.disk),
        "size": "",
        "mounts": {},
    }


def images(*, main: bool) -> dict[str, Any]:
    remote = "release" if main else ""
    found = {
        "24.04": {"os": "Ubuntu", "release": "24.04 LTS", "version": "20260518", "aliases": ["noble"], "remote": remote},
        "daily:26.10": {"os": "Ubuntu", "release": "26.10", "version": "20260520", "aliases": ["devel"], "remote": "daily"},
    }
    return {"errors": [], "images": found} if main else {"errors": [], "blueprints (deprecated)": {}, "images": found}
