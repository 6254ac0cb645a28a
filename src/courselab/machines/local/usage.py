"""What a machine takes of the host: memory and CPU from its control group, disk from its folder."""

from __future__ import annotations

import time
from pathlib import Path

from courselab.machines.base import Usage
from courselab.machines.local.cgroups import Cgroups
from courselab.machines.local.disk import disk_bytes

_MOMENT_S = 0.2


def of_machine(cgroups: Cgroups, machine: str, folder: Path) -> Usage:
    """Look at a machine for a moment. `machine`: what its control groups are called; `folder`: where the host keeps it."""
    groups = {group for group in cgroups.folders(machine) if group.is_dir()}
    before, began = _cpu_seconds(groups), time.monotonic()
    disk = disk_bytes([folder / "disks"]) >> 20
    if not groups:
        return Usage(disk_mib=disk)
    time.sleep(max(0.0, _MOMENT_S - (time.monotonic() - began)))  # a share of CPU is a share of some time
    after, took = _cpu_seconds(groups), time.monotonic() - began
    busy = None if before is None or after is None else round(100 * (after - before) / took, 1)
    return Usage(_memory_mib(groups), disk, busy)


def _cpu_seconds(groups: set[Path]) -> float | None:
    for group in groups:
        if nanoseconds := _read(group / "cpuacct.usage"):  # version 1
            return int(nanoseconds) / 1e9
        if microseconds := _field(group / "cpu.stat", "usage_usec"):
            return microseconds / 1e6
    return None


def _memory_mib(groups: set[Path]) -> int | None:
    """What it uses without file cache that was not needed lately, as `kubectl top` counts it."""
    for group in groups:
        for used, idle in (("memory.usage_in_bytes", "total_inactive_file"), ("memory.current", "inactive_file")):
            if said := _read(group / used):
                return max(0, int(said) - _field(group / "memory.stat", idle)) >> 20
    return None


def _field(path: Path, name: str) -> int:
    pairs = (line.split() for line in _read(path).splitlines())
    return next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == name), 0)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # another hierarchy's, or the machine ended meanwhile
