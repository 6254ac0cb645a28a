"""One systemd-nspawn machine on this host. Needs root."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from courselab import files, process
from courselab.errors import LabError, Unreachable, UsageError
from courselab.machines.base import Completed, MachineSpec, MachineState
from courselab.machines.local import enter, network, spawn
from courselab.machines.local.host import Host
from courselab.machines.local.image import remove_tree
from courselab.machines.local.processes import Process, is_first_of_namespace, kill_and_wait
from courselab.machines.local.record import Record

STOP_TIMEOUT_S = 30.0
FILE_TIMEOUT_S = 120.0
# $1 path, $2 mode, $3 owner. The file appears whole or not at all.
PUT = (
    'd=$(dirname -- "$1"); mkdir -p -- "$d" && t=$(mktemp -- "$d/.put.XXXXXX") || exit 1; '
    'cat > "$t" && chmod -- "$2" "$t" && chown -- "$3:" "$t" && mv -T -- "$t" "$1" || { rm -f -- "$t"; exit 1; }'
)
NOT_THERE = 66
GET = f'[ -f "$1" ] || exit {NOT_THERE}; exec head -c "$2" -- "$1"'


@dataclass(frozen=True)
class LocalMachine:
    """A machine of the provider `local`. Holds no state of its own: everything is read from its folder and from the kernel."""

    record: Record
    host: Host

    @property
    def name(self) -> str:
        return self.record.spec.name

    @property
    def spec(self) -> MachineSpec:
        return self.record.spec

    @property
    def address(self) -> str:
        return self.record.address

    @property
    def folder(self) -> Path:
        """Where the host keeps it."""
        return self.host.folder(self.name)

    @property
    def _id(self) -> str:
        return self.host.names.machine(self.name)

    @property
    def state(self) -> MachineState:
        leader = self._leader()
        if leader:
            return MachineState.RUNNING
        if self.host.cgroups.pids(self._id):
            return MachineState.STARTING if self.host.is_locked(self.name) else MachineState.BROKEN
        return MachineState.STOPPED if (self.folder / "upper").is_dir() else MachineState.BROKEN

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        return process.run(self._inside(enter.entering(self._pid(), argv, user=user)), input=input, timeout_s=timeout_s)

    def shell_argv(self, argv: Sequence[str] = (), *, user: str = "student", terminal: bool = True) -> list[str]:
        return self._inside(enter.by_login(self._pid(), argv, user=user, terminal=terminal))

    def _inside(self, argv: Sequence[str]) -> list[str]:
        return enter.joining(enter.groups_of(self._pid(), self.host.cgroups.tops), argv)

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        done = self.run(["/bin/sh", "-c", PUT, "sh", path, f"{mode:o}", owner], input=data, timeout_s=FILE_TIMEOUT_S)
        done.check(f"{path} could not be written in {self.name}")

    def put_file(self, path: str, source: Path, *, mode: int = 0o644, owner: str = "root") -> None:
        self.put(path, source.read_bytes(), mode=mode, owner=owner)

    def get(self, path: str, *, limit_bytes: int = 8 * 1024 * 1024) -> bytes:
        done = self.run(["/bin/sh", "-c", GET, "sh", path, str(limit_bytes + 1)], timeout_s=FILE_TIMEOUT_S)
        if done.code == NOT_THERE:
            raise LabError(f"{path} could not be read in {self.name}", why="There is no such file.")
        data = done.check(f"{path} could not be read in {self.name}").stdout
        if len(data) > limit_bytes:
            raise LabError(f"{path} could not be read in {self.name}", why=f"It is larger than {limit_bytes} bytes.")
        return data

    def start(self) -> None:
        """Boot it unless it runs. What is left of an earlier, interrupted start is ended first."""
        with self.host.locked(self.name):
            if self._leader():
                return
            self._end_all()
            with self.host.locked():
                lan = self.host.networks.set_up(self.spec.lab)
                self.host.settings.borrow()
            spawn.prepare_folder(self.folder, self.record.image, self.spec)
            spawn.write_boot_files(
                self.folder, address=self.address, gateway=lan.gateway, mtu=network.uplink_mtu(), nameservers=network.nameservers()
            )
            argv = spawn.nspawn_argv(self.folder, self.spec, machine=self._id, bridge=lan.bridge)
            groups = self.host.cgroups.create(self._id, self.spec.memory_mib)
            spawn.boot(self.folder, argv, entry=self.host.cgroups.entry(self._id, self.spec.memory_mib), groups=groups)
            self._remember_leader()

    def stop(self) -> None:
        """Shut it down as an administrator would; what does not end in time is killed."""
        with self.host.locked(self.name):
            if leader := self._leader():
                kill_and_wait([leader.pid], number=signal.SIGRTMIN + 4, timeout_s=STOP_TIMEOUT_S)
            self._end_all()
            self.host.tidy()

    def delete(self) -> None:
        with self.host.locked(self.name):
            self._end_all()
            gone = self.folder.with_name(f".deleted-{self.name}")
            remove_tree(gone)
            if self.folder.exists():
                self.folder.rename(gone)
                remove_tree(gone)
            self.host.tidy()

    def snapshot(self, name: str) -> None:
        target = self._snapshot_folder(name)
        with self.host.locked(self.name):
            self._must_be_stopped("A snapshot")
            making = target.with_name(f".{name}.new")
            remove_tree(making)
            making.mkdir(parents=True)
            self._copy(self.folder, making)
            remove_tree(target)
            making.rename(target)

    def restore(self, name: str) -> None:
        source = self._snapshot_folder(name)
        with self.host.locked(self.name):
            self._must_be_stopped("Restoring")
            if not source.is_dir():
                raise LabError(f"{self.name} has no snapshot {name!r}", why=f"It has: {', '.join(self.snapshots()) or 'none'}.")
            making = self.folder / "restored"
            remove_tree(making)
            making.mkdir()
            self._copy(source, making)
            for part in ("upper", "data"):
                remove_tree(self.folder / part)
                (making / part).rename(self.folder / part)
            remove_tree(self.folder / "work")
            remove_tree(making)

    def snapshots(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "snapshots").glob("[!.]*"))

    def delete_snapshot(self, name: str) -> None:
        with self.host.locked(self.name):
            remove_tree(self._snapshot_folder(name))

    def _snapshot_folder(self, name: str) -> Path:
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            raise UsageError(f"{name!r} is no name for a snapshot", why="It must not be empty, begin with a dot or contain a slash.")
        return self.folder / "snapshots" / name

    def _must_be_stopped(self, what: str) -> None:
        if self.host.cgroups.pids(self._id):
            raise LabError(f"{what} needs {self.name} to be stopped", why="It is running.", fix="Run `lab stop` first.")

    def _copy(self, source: Path, target: Path) -> None:
        for part in ("upper", "data"):
            copy = ["cp", "--archive", "--reflink=auto", str(source / part), str(target / part)]
            process.run(copy, timeout_s=600).check(f"The files of {self.name} could not be copied")

    def _end_all(self) -> None:
        (self.folder / "leader.json").unlink(missing_ok=True)
        self.host.cgroups.kill(self._id)
        self.host.cgroups.remove(self._id)
        self.host.unplug(self.name)

    def _leader(self) -> Process | None:
        """Its init process, if it runs and once was ready."""
        try:
            stored = Process(**json.loads((self.folder / "leader.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return stored if stored.alive else None

    def _pid(self) -> int:
        if leader := self._leader():
            return leader.pid
        raise Unreachable(f"The machine {self.name} is not running", why=f"It is {self.state.value}.", fix="Run `lab resume`.")

    def _remember_leader(self) -> None:
        for pid in sorted(self.host.cgroups.pids(self._id)):
            if is_first_of_namespace(pid) and (found := Process.of(pid)):
                files.write_json(self.folder / "leader.json", {"pid": found.pid, "started": found.started, "boot": found.boot})
                return
        raise LabError(f"The machine {self.name} ended right after its start", why="Its first process is gone.", fix="Try again.")
