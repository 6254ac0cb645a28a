"""Whether this computer can have machines of its own: looked up without changing anything, and without root."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from courselab.machines.base import Availability
from courselab.machines.local import packages
from courselab.machines.local.cgroups import find_hierarchies

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
# An overlay's upper part cannot be on these: they lack what it needs, or belong to another computer.
UNFIT = {"overlay", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "vboxsf", "vfat", "exfat", "ntfs", "ntfs3", "ecryptfs", "fuse"}


@dataclass(frozen=True)
class Facts:
    """What matters of this computer."""

    platform: str
    root: bool
    sudo: bool
    capabilities: int  # as in /proc/self/status, of this process
    filesystems: str  # /proc/filesystems
    modules: bool  # the kernel can load some
    mountinfo: str
    state_filesystem: str
    missing: tuple[str, ...]  # packages
    apt: bool


def look(state: Path) -> Facts:
    """Read this computer's facts; `state` is where machines would be kept."""
    if sys.platform != "linux":
        return Facts(sys.platform, False, False, 0, "", False, "", "", (), False)
    mountinfo = Path("/proc/self/mountinfo").read_text()
    status = Path("/proc/self/status").read_text()
    return Facts(
        platform=sys.platform,
        root=os.geteuid() == 0,
        sudo=packages.find_program("sudo") is not None,
        capabilities=next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")),
        filesystems=Path("/proc/filesystems").read_text(),
        modules=Path(f"/lib/modules/{os.uname().release}").is_dir(),
        mountinfo=mountinfo,
        state_filesystem=filesystem_of(state, mountinfo),
        missing=tuple(sorted({need.package for need in packages.missing()})),
        apt=packages.find_program("apt-get") is not None,
    )


def judge(facts: Facts) -> Availability:
    """Whether machines can be had with these facts; the first thing in the way if not."""
    return next((Availability(False, why, fix) for hindered, why, fix in _hindrances(facts) if hindered), Availability(True))


def _hindrances(facts: Facts) -> Iterator[tuple[bool, str, str]]:
    """What could be in the way: whether it is, why that matters, and what to do."""
    on_linux = facts.platform == "linux"
    yield not on_linux, "Machines of this kind need Linux.", "Install Multipass, then use `--on multipass`."
    yield not facts.root and not facts.sudo, "Machines need root, and there is no sudo.", "Run `lab` as root, or install sudo."
    powers = all(facts.capabilities >> number & 1 for number in (CAP_SYS_ADMIN, CAP_NET_ADMIN))
    why = "Root has no power over mounts and networks here: this looks like a container."
    yield facts.root and not powers, why, "Run `lab` outside of the container, or start it with --privileged."
    overlay = "overlay" in facts.filesystems.split() or facts.modules
    yield not overlay, "This kernel has no overlayfs.", "Use a kernel with CONFIG_OVERLAY_FS."
    yield not find_hierarchies(facts.mountinfo), "Control groups are not mounted.", "Mount cgroup2 at /sys/fs/cgroup."
    unfit = facts.state_filesystem in UNFIT or facts.state_filesystem.startswith("fuse.")
    why = f"Machines cannot be kept on a file system of the type {facts.state_filesystem}."
    yield unfit, why, "Set LAB_HOME to a folder on a disk of this computer (ext4, xfs or btrfs)."
    missing = bool(facts.missing) and not facts.apt
    yield missing, f"Not installed: {', '.join(facts.missing)}.", "Install them the way your system does."


def filesystem_of(path: Path, mountinfo: str) -> str:
    """The type of the file system that `path` is on, or would be on once it is made."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    place = f"{there.resolve()}/"
    best, kind = "", ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        point = left.split()[4].replace("\\040", " ")
        if place.startswith(f"{point.rstrip('/')}/") and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind
