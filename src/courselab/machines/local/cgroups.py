"""A control group per machine, on cgroup v1 (with or without the empty v2 tree beside it) and on v2.

On v2 with systemd in charge of the host, systemd makes the group: a scope of its own. Else we do, at the top of
every hierarchy, because a machine must have a root of its own in each.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from courselab.errors import LabError
from courselab.machines.local import processes
from courselab.machines.local.names import HostNames

SLICE = "system.slice"  # one of our own would stay behind
PROCESSES_MAX = 16384
NOT_CONTROLLERS = {"rw", "ro", "xattr", "clone_children", "noprefix", "release_agent"}  # among a v1 mount's options
CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")  # what a kubelet looks for on v2

FREEZE_S = 5.0
# $1: file, $2: what freezes, $3: what lets go on. Lets go on when its input ends, so also when whoever started it was killed.
HOLD = 'trap "" INT TERM HUP; echo "$2" > "$1" || exit 1; echo held; read -r _; echo "$3" > "$1"'


@dataclass(frozen=True)
class Freezer:
    """The file that holds all processes of a group still, and what is written into it."""

    file: Path
    freeze: str
    thaw: str

    @property
    def frozen(self) -> bool:
        """Whether all of them stand still."""
        try:
            if self.file.name == "cgroup.freeze":
                return "frozen 1" in (self.file.parent / "cgroup.events").read_text()
            return self.file.read_text().strip() == self.freeze
        except OSError:
            return False


@dataclass(frozen=True)
class Hierarchy:
    """One mounted tree of control groups."""

    top: Path
    version: int
    controllers: frozenset[str]
    label: str  # the middle field in /proc/PID/cgroup


def find_hierarchies(mountinfo: str) -> tuple[Hierarchy, ...]:
    """The cgroup trees in a /proc/self/mountinfo."""
    found: dict[Path, Hierarchy] = {}
    for line in mountinfo.splitlines():
        place, _, kind = line.partition(" - ")
        filesystem, _, options = kind.split(" ", 2)
        top = Path(place.split()[4])
        if filesystem == "cgroup":
            names = [name for name in options.split(",") if name not in NOT_CONTROLLERS]
            found[top] = Hierarchy(top, 1, frozenset(names), ",".join(names))
        elif filesystem == "cgroup2":
            found[top] = Hierarchy(top, 2, frozenset(), "")
    return tuple(found.values())


@dataclass(frozen=True)
class Cgroups:
    """The control groups of all machines of one state folder."""

    names: HostNames
    hierarchies: tuple[Hierarchy, ...]
    systemd: bool  # the host's PID 1 is systemd

    @classmethod
    def of_host(cls, names: HostNames) -> Cgroups:
        """Read from this host how control groups are mounted."""
        hierarchies = find_hierarchies(Path("/proc/self/mountinfo").read_text())
        return cls(names, hierarchies, Path("/run/systemd/system").is_dir())

    @property
    def version(self) -> int:
        """1 or 2: where the resource controllers are."""
        return 1 if any(tree.version == 1 for tree in self.hierarchies) else 2

    @property
    def made_by_systemd(self) -> bool:
        """Whether the host's systemd makes and removes the groups."""
        return self.systemd and self.version == 2

    @property
    def tops(self) -> list[tuple[Path, str]]:
        """Where each hierarchy is mounted, and what /proc/PID/cgroup calls it."""
        return [(tree.top, tree.label) for tree in self.hierarchies]

    def folders(self, machine: str) -> list[Path]:
        """The machine's group in every hierarchy (whether or not it exists)."""
        if self.made_by_systemd:
            return [tree.top / SLICE / self.scope(machine) for tree in self.hierarchies]
        return [tree.top / self.names.group / machine for tree in self.hierarchies]

    def scope(self, machine: str) -> str:
        """The systemd unit of the machine on the host."""
        return f"courselab-{machine}.scope"

    def entry(self, machine: str, memory_mib: int) -> list[str]:
        """The beginning of a command line that starts a program inside the machine's group (empty: see `join`)."""
        if not self.made_by_systemd:
            return []
        return [
            "systemd-run", "--scope", "--quiet", "--collect", f"--slice={SLICE}", f"--unit={self.scope(machine)}",
            "--property=Delegate=yes", f"--property=MemoryMax={memory_mib}M", f"--property=TasksMax={PROCESSES_MAX}", "--",
        ]  # fmt: skip

    def create(self, machine: str, memory_mib: int) -> list[Path]:
        """Make the machine's groups with their limits. Returns the files a process writes itself into to be inside."""
        if self.made_by_systemd:
            return []
        for tree, folder in zip(self.hierarchies, self.folders(machine), strict=True):
            for step in (folder.parent, folder):
                step.mkdir(exist_ok=True)
                if tree.version == 2 and self.version == 2:
                    _pass_on_controllers(step.parent)
                if "cpuset" in tree.controllers:
                    _inherit_cpuset(step)
            _limit(folder, memory_mib)
        return [folder / "cgroup.procs" for folder in self.folders(machine)]

    def pids(self, machine: str) -> set[int]:
        """Every process in the machine's groups, as the host numbers them."""
        return {pid for folder in self.folders(machine) for pid in _pids_below(folder)}

    def any_running(self) -> bool:
        """Whether any machine of this state folder has a process."""
        top = self.hierarchies[0].top
        scopes = (top / SLICE).glob(self.scope(f"{self.names.key}*"))
        return any(True for folder in (scopes if self.made_by_systemd else [top / self.names.group]) for _ in _pids_below(folder))

    def freezer(self, machine: str) -> Freezer | None:
        """What holds the machine still; None where the host has no such thing or the machine no group."""
        for tree, folder in zip(self.hierarchies, self.folders(machine), strict=True):
            if tree.version == 1 and "freezer" in tree.controllers and (folder / "freezer.state").exists():
                return Freezer(folder / "freezer.state", "FROZEN", "THAWED")
            if tree.version == 2 and self.version == 2 and (folder / "cgroup.freeze").exists():
                return Freezer(folder / "cgroup.freeze", "1", "0")
        return None

    @contextmanager
    def held(self, machine: str) -> Generator[bool]:
        """Hold every process of the machine still. Gives False where that cannot be done. A small shell lets go, whatever becomes of us."""
        freezer = self.freezer(machine)
        if freezer is None:
            yield False
            return
        argv = ["/bin/sh", "-c", HOLD, "sh", str(freezer.file), freezer.freeze, freezer.thaw]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as holder:
            try:
                yield self._stands_still(freezer, holder)
            finally:
                if holder.stdin:
                    holder.stdin.close()
                holder.wait(FREEZE_S)

    def _stands_still(self, freezer: Freezer, holder: subprocess.Popen[bytes]) -> bool:
        if not holder.stdout or holder.stdout.readline() != b"held\n":
            return False
        deadline = time.monotonic() + FREEZE_S
        while not freezer.frozen:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)  # version 1 does not say when the last process has stopped
        return True

    def let_go(self, machine: str) -> None:
        """Let a machine go on that is held still though nobody holds it any more."""
        freezer = self.freezer(machine)
        if freezer and freezer.file.read_text().strip() != freezer.thaw:
            freezer.file.write_text(freezer.thaw)

    def end(self, machine: str, *, timeout_s: float = 10.0) -> None:
        """Kill everything in the machine's groups, its init first, which takes all of the machine along; then remove the groups.

        A process that was just starting may join one group after the other meanwhile, so both are repeated until nothing is left.
        Raises LabError if something still is there at the deadline.
        """
        deadline = time.monotonic() + timeout_s
        self.let_go(machine)  # what stands still does not die
        while True:
            left = max(0.1, deadline - time.monotonic())
            pids = self.pids(machine)
            first = [pid for pid in pids if processes.is_first_of_namespace(pid)]
            processes.kill_and_wait([*first, *sorted(pids - set(first))], timeout_s=left)
            if self._remove(machine):
                return
            if time.monotonic() > deadline:
                raise LabError(
                    f"Processes of the machine {machine} cannot be ended",
                    why=f"They do not react to SIGKILL: {sorted(self.pids(machine))[:5]}",
                    fix="Try again; if it stays so, restart this computer.",
                )
            time.sleep(0.005)  # the kernel does not say when a group whose last process ended can be removed

    def _remove(self, machine: str) -> bool:
        """Remove the machine's groups if they are empty, and the group of all machines with the last one."""
        for folder in self.folders(machine):
            for path, _, _ in os.walk(folder, topdown=False):
                if not _remove_group(Path(path)):
                    return False
            if not self.made_by_systemd:
                _remove_group(folder.parent)  # fails while other machines are in it
        return True


def _pids_below(folder: Path) -> Iterator[int]:
    for path, _, _ in os.walk(folder):
        try:
            yield from (int(line) for line in Path(path, "cgroup.procs").read_text().split() if line != "0")
        except OSError:
            continue  # removed while we looked, or a threaded group, whose processes its parent lists


def _limit(folder: Path, memory_mib: int) -> None:
    memory = memory_mib * 1024 * 1024
    for name, value in (("memory.limit_in_bytes", memory), ("memory.max", memory), ("pids.max", PROCESSES_MAX)):
        if (folder / name).exists():
            (folder / name).write_text(str(value))


def _inherit_cpuset(folder: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (folder / name).exists() and not (folder / name).read_text().strip():
            (folder / name).write_text((folder.parent / name).read_text())


def _pass_on_controllers(folder: Path) -> None:
    offered = (folder / "cgroup.controllers").read_text().split()
    for name in CONTROLLERS:
        if name in offered:
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def _remove_group(folder: Path) -> bool:
    """Remove one group; False while something is in it."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
