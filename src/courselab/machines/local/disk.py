"""A machine's disk on the host: what it changed compared with its image, kept so that it changes in one step.

<machine>/disk → disks/ID       the one in use
<machine>/disks/ID/upper work/  what differs from the image (overlay)
<machine>/disks/ID/data/        folders that will themselves hold overlay mounts, which an overlay cannot
<machine>/snapshots/NAME/       upper, data and machine.json as they were
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
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
COPIES_AT_ONCE = 3
KEEP_FREE_BYTES = 512 * 2**20  # of the host's disk, whatever is copied


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

    def forget(self) -> None:
        """Have no disk any more; what was on it is removed by `sweep`."""
        self.current.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove disks that are not in use."""
        used = self.current.resolve() if self.made else None
        for disk in (self.machine / "disks").glob("*"):
            if disk.resolve() != used:
                remove_tree(disk)

    def snapshot(self, name: str) -> None:
        """Keep a copy of the disk under `name`. Raises LabError if there is one of that name."""
        target = self._new_snapshot(name)
        making = target.with_name(f".{name}.new")
        remove_tree(making)
        making.mkdir(parents=True)
        try:
            _refuse_without_room(self.current, making)
            _copy(self.current, making)
            self._note(making)
        except LabError:
            remove_tree(making)  # a full disk gets back what was taken
            raise
        making.rename(target)

    def set_aside(self, name: str) -> None:
        """Make the disk itself snapshot `name`; there is none then until `make`. Raises LabError if there is one of that name."""
        target = self._new_snapshot(name)
        if not self.made:
            return
        target.parent.mkdir(exist_ok=True)
        self._note(self.current)
        self.current.resolve().rename(target)
        self.current.unlink()

    def snapshot_bytes(self, name: str) -> int:
        """What a snapshot takes on the host's disk; 0 if there is none."""
        return disk_bytes([self.snapshot_folder(name)])

    def restore(self, name: str, *, keep: str = "") -> None:
        """Use a copy of the snapshot `name` from now on; the disk of before becomes snapshot `keep`. Raises LabError if there is none."""
        source = self.snapshot_folder(name)
        if not source.is_dir():
            raise LabError(
                f"{self.machine.name} has no snapshot {name!r}", why=f"It has: {', '.join(self.snapshots()) or 'none'}.", fix="Choose one."
            )
        making = self._new()
        try:
            _refuse_without_room(source, making)
            _copy(source, making)
        except LabError:
            remove_tree(making)
            raise
        if keep:
            self.set_aside(keep)
        self._use(making)
        self.sweep()

    def snapshots(self) -> list[str]:
        """The names of all snapshots."""
        return sorted(path.name for path in (self.machine / "snapshots").glob("[!.]*"))

    def delete_snapshot(self, name: str) -> None:
        """Remove a snapshot, if it is there."""
        remove_tree(self.snapshot_folder(name))

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

    def _note(self, disk: Path) -> None:
        """What a disk is of no use without: which image is below it, which folders it was used with."""
        shutil.copyfile(self.machine / "machine.json", disk / "machine.json")

    def _new_snapshot(self, name: str) -> Path:
        target = self.snapshot_folder(name)
        if target.exists():
            raise LabError(f"{self.machine.name} already has a snapshot {name!r}", why="It is not overwritten.", fix="Delete it first.")
        return target

    def snapshot_folder(self, name: str) -> Path:
        """Where a snapshot is kept, with a copy of machine.json as it was then. Raises UsageError if that is no name for one."""
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
    """Copy a disk. Its parts at the same time: most of it is many small files."""
    folder = _folder(target / "data")
    parts = [(source / "upper", target), *((part, folder) for part in sorted((source / "data").iterdir()))]

    def copy(part: tuple[Path, Path]) -> process.Completed:
        return process.run(["cp", "--archive", "--reflink=auto", f"{part[0]}", f"{part[1]}/"], timeout_s=COPY_TIMEOUT_S)

    with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="copy") as pool:
        for done in list(pool.map(copy, parts)):
            done.check("The machine's files could not be copied", fix="Check that the disk is not full.")


def _refuse_without_room(source: Path, target: Path) -> None:
    """Before anything is written: a host whose disk is full is in more trouble than one without a snapshot."""
    need, free = disk_bytes([source / "upper", source / "data"]), shutil.disk_usage(target).free
    if need + KEEP_FREE_BYTES > free:
        raise LabError(
            "There is not enough room on the disk for a copy of the machine",
            why=f"It takes {need / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free.",
            fix="Free some disk; `lab snapshots` shows what older snapshots take.",
        )


def disk_bytes(folders: Iterable[Path]) -> int:
    """What folders take on the disk; those that are not there take nothing."""
    there = [str(folder) for folder in folders if folder.exists()]
    if not there:
        return 0
    shown = process.run(["du", "--summarize", "--total", "--block-size=1", "--one-file-system", "--", *there], timeout_s=REMOVE_TIMEOUT_S)
    return int(shown.text.splitlines()[-1].split()[0]) if shown.text else 0


def remove_tree(folder: Path) -> None:
    """Remove a folder with everything in it, unless something is mounted below it: never reach into what is not ours."""
    if not os.path.lexists(folder):
        return
    below = f"{os.path.realpath(folder)}/"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = unescape(line.split()[4])
        if f"{place}/".startswith(below):
            why, fix = f"Something is mounted at {place}.", f"Run `umount '{place}'`, then try again."
            raise LabError(f"{folder} was not removed", why=why, fix=fix)
    process.run(["rm", "-rf", "--one-file-system", "--", str(folder)], timeout_s=REMOVE_TIMEOUT_S).check(f"{folder} could not be removed")


def unescape(field: str) -> str:
    """A path in mountinfo: space, tab, newline and backslash are written in octal."""
    for code in ("040", "011", "012", "134"):
        field = field.replace(f"\\{code}", chr(int(code, 8)))
    return field
