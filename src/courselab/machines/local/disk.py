"""A machine's disk on the host: what it changed compared with its image, kept so that it changes in one step.

<machine>/disk → disks/ID       the one in use
<machine>/disks/ID/upper work/  what differs from the image (overlay)
<machine>/disks/ID/data/        folders that will themselves hold overlay mounts, which an overlay cannot
<machine>/snapshots/NAME/       upper and data as they were
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from courselab import process
from courselab.errors import LabError, UsageError
from courselab.machines.base import MachineSpec

DATA = {
    "rancher": "/var/lib/rancher",
    "containerd": "/var/lib/containerd",
    "kubelet": "/var/lib/kubelet",
    "cni": "/var/lib/cni",
    "pods": "/var/log/pods",
}
COPY_TIMEOUT_S = 900.0
REMOVE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Disk:
    """The disk of the machine kept in `machine`. Callers hold the machine's lock and have stopped it."""

    machine: Path

    @property
    def current(self) -> Path:
        """The disk in use; does not exist before `make`."""
        return self.machine / "disk"

    @property
    def made(self) -> bool:
        """Whether there is a whole disk."""
        return self.current.is_dir()

    def make(self, image: Path, spec: MachineSpec) -> None:
        """Make a new disk unless there is one."""
        if self.made:
            return
        making = self._new()
        for name in ("data", *(f"data/{name}" for name in DATA)):
            _folder(making / name)
        _first_files(_folder(making / "upper"), image, spec)
        self._use(making)

    def snapshot(self, name: str) -> None:
        """Keep a copy of the disk under `name`. Raises LabError if there is one of that name."""
        target = self._snapshot(name)
        if target.exists():
            raise LabError(f"{self.machine.name} already has a snapshot {name!r}", why="It is not overwritten.", fix="Delete it first.")
        making = target.with_name(f".{name}.new")
        remove_tree(making)
        making.mkdir(parents=True)
        _copy(self.current, making)
        making.rename(target)

    def restore(self, name: str) -> None:
        """Use a copy of the snapshot `name` from now on. Raises LabError if there is none."""
        source = self._snapshot(name)
        if not source.is_dir():
            raise LabError(
                f"{self.machine.name} has no snapshot {name!r}", why=f"It has: {', '.join(self.snapshots()) or 'none'}.", fix="Choose one."
            )
        making = self._new()
        _copy(source, making)
        self._use(making)

    def snapshots(self) -> list[str]:
        """The names of all snapshots."""
        return sorted(path.name for path in (self.machine / "snapshots").glob("[!.]*"))

    def delete_snapshot(self, name: str) -> None:
        """Remove a snapshot, if it is there."""
        remove_tree(self._snapshot(name))

    def _new(self) -> Path:
        disks = self.machine / "disks"
        disks.mkdir(exist_ok=True)
        making = disks / uuid.uuid4().hex[:8]
        making.mkdir()
        (making / "work").mkdir()
        return making

    def _use(self, disk: Path) -> None:
        link = self.machine / "disk.new"
        link.unlink(missing_ok=True)
        link.symlink_to(disk.relative_to(self.machine))
        os.replace(link, self.current)
        for other in disk.parent.iterdir():
            if other.name != disk.name:
                remove_tree(other)

    def _snapshot(self, name: str) -> Path:
        if not name or name.startswith(".") or "/" in name or "\0" in name or len(name.encode()) > 200:
            why = "It is empty, long, begins with a dot or has a slash."
            raise UsageError(f"{name[:60]!r} is no name for a snapshot", why=why, fix="Choose another.")
        return self.machine / "snapshots" / name


def _first_files(upper: Path, image: Path, spec: MachineSpec) -> None:
    """What a machine has of its own from the first moment. Written here only before its first start: later it could mislead us."""
    etc = _folder(upper / "etc")
    _file(etc / "hostname", f"{spec.hostname}\n")
    _file(etc / "hosts", f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 {spec.hostname}\n")
    _file(etc / "machine-id", f"{uuid.uuid4().hex}\n")
    for name in ("passwd", "group"):
        lines = (image / "etc" / name).read_text().splitlines()
        _file(etc / name, "".join(f"{_renumber(line, spec.student_uid)}\n" for line in lines))
    home = _folder(upper / "home") / "student"
    shutil.copytree(image / "home/student", home, symlinks=True)
    for path in [home, *home.rglob("*")]:
        os.chown(path, spec.student_uid, spec.student_uid, follow_symlinks=False)


def _renumber(line: str, uid: int) -> str:
    """A line of passwd or group with the numbers of `student` changed."""
    fields = line.split(":")
    if fields[0] == "student":
        fields[2] = str(uid)
        if len(fields) > 4:
            fields[3] = str(uid)
    return ":".join(fields)


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    path.chmod(0o755)  # whatever the umask is
    return path


def _file(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def _copy(source: Path, target: Path) -> None:
    for part in ("upper", "data"):
        copy = ["cp", "--archive", "--reflink=auto", f"{source}/{part}", f"{target}/{part}"]
        process.run(copy, timeout_s=COPY_TIMEOUT_S).check("The machine's files could not be copied", fix="Check that the disk is not full.")


def remove_tree(folder: Path) -> None:
    """Remove a folder with everything in it, unless something is mounted below it: never reach into what is not ours."""
    if not os.path.lexists(folder):
        return
    below = f"{os.path.realpath(folder)}/"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = _unescape(line.split()[4])
        if f"{place}/".startswith(below):
            why, fix = f"Something is mounted at {place}.", f"Run `umount '{place}'`, then try again."
            raise LabError(f"{folder} was not removed", why=why, fix=fix)
    process.run(["rm", "-rf", "--one-file-system", "--", str(folder)], timeout_s=REMOVE_TIMEOUT_S).check(f"{folder} could not be removed")


def _unescape(field: str) -> str:
    """A path in mountinfo: space, tab, newline and backslash are written in octal."""
    for code in ("040", "011", "012", "134"):
        field = field.replace(f"\\{code}", chr(int(code, 8)))
    return field
