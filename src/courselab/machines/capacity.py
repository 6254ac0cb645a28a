"""What this computer has for machines, and what machines of a provider take of it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from courselab import process
from courselab.errors import LabError

_ASK_S = 5.0
# Beside the machines: the host's own programs.
_HOST_MIB = 1024
# A local machine takes what it uses: the first one with the control plane about 1 GiB, each further one half of that (measured).
_LOCAL_FIRST_MIB, _LOCAL_NEXT_MIB = 1024, 512
# What a machine has written when its lab is ready, with room to work: an Ubuntu and images, or only images.
_DISK_GIB = {"multipass": 6.0, "local": 3.0}


@dataclass(frozen=True)
class Capacity:
    """What there is. `virtualisation` is None where that cannot be told, `memory_mib` 0."""

    cpus: int
    memory_mib: int
    free_disk_gib: float
    virtualisation: bool | None


@dataclass(frozen=True)
class Need:
    """What machines take together."""

    cpus: int
    memory_mib: int
    disk_gib: float

    @classmethod
    def of(cls, provider: str, machines: Iterable[tuple[int, int]]) -> Need:
        """For machines given as (CPUs, memory in MiB)."""
        each = list(machines)
        if provider == "local":
            memory = _LOCAL_FIRST_MIB + _LOCAL_NEXT_MIB * (len(each) - 1) if each else 0
            return cls(1, memory, _DISK_GIB["local"] * len(each))
        memory = sum(memory for _, memory in each) + _HOST_MIB
        return cls(max((cpus for cpus, _ in each), default=1), memory, _DISK_GIB["multipass"] * len(each))

    def missing_from(self, capacity: Capacity) -> list[str]:
        """What of it this computer lacks, in words with numbers."""
        missing: list[str] = []
        if self.cpus > capacity.cpus:
            missing.append(f"{self.cpus} CPUs are needed, there are {capacity.cpus}")
        if capacity.memory_mib and self.memory_mib > capacity.memory_mib:
            missing.append(f"{gib(self.memory_mib)} of memory are needed, there are {gib(capacity.memory_mib)}")
        if self.disk_gib > capacity.free_disk_gib:
            missing.append(f"{self.disk_gib:.0f} GiB of free disk are needed, there are {capacity.free_disk_gib:.1f} GiB")
        return missing


def measure(folder: Path) -> Capacity:
    """Look at this computer; the disk is the one that `folder` is, or will be, on."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return Capacity(os.cpu_count() or 1, _memory_mib(), shutil.disk_usage(folder).free / 2**30, _virtualisation())


def gib(mib: int) -> str:
    """Memory as it is told: "3.5 GiB"."""
    return f"{mib / 1024:.1f} GiB"


def _memory_mib() -> int:
    if sys.platform == "win32":
        return _windows_memory_mib()
    if sys.platform == "darwin":
        return int(_sysctl("hw.memsize") or 0) >> 20
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def available_mib(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Memory that programs can have before this computer swaps, in MiB; 0 where that cannot be told."""
    if sys.platform == "win32":
        return _windows_memory_mib(at=16)
    if sys.platform == "darwin":
        pages = re.findall(r"Pages (?:free|inactive|speculative|purgeable): +(\d+)", _said(["vm_stat"]))
        return sum(int(count) for count in pages) * int(_sysctl("hw.pagesize") or 0) >> 20
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) >> 10 if found else 0


def _windows_memory_mib(at: int = 8) -> int:
    """From GlobalMemoryStatusEx: a structure of 64 bytes that has the physical memory at 8 and what of it is available at 16."""
    import ctypes

    status = (ctypes.c_ubyte * 64)(64)
    windll: object = getattr(ctypes, "windll", None)
    kernel = getattr(windll, "kernel32", None)
    if kernel is None or not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return 0
    return int.from_bytes(bytes(status)[at : at + 8], "little") >> 20


def _virtualisation() -> bool | None:
    if sys.platform == "darwin":
        said = _sysctl("kern.hv_support")
        return said == "1" if said else None
    return Path("/dev/kvm").exists() if sys.platform == "linux" else None


def _sysctl(name: str) -> str:
    return _said(["sysctl", "-n", name])


def _said(argv: list[str]) -> str:
    try:
        return process.run(argv, timeout_s=_ASK_S).text.strip()
    except LabError:
        return ""
