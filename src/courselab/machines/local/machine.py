"""One systemd-nspawn machine on this host. Needs root."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from courselab import files, process
from courselab.errors import LabError, Unreachable
from courselab.machines.base import Completed, MachineSpec, MachineState, Usage
from courselab.machines.commands import content, get_argv, put_argv
from courselab.machines.ending import is_ending
from courselab.machines.local import enter, network, record, spawn, usage
from courselab.machines.local.disk import Disk, remove_tree
from courselab.machines.local.host import Host
from courselab.machines.local.processes import Process, is_first_of_namespace, kill_and_wait
from courselab.process import CommandTimeout

POWER_OFF = signal.SIGRTMIN + 4  # to a systemd that is PID 1
STOP_TIMEOUT_S = 30.0
FILE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class LocalMachine:
    """A machine of the provider `local`. Holds no state of its own: everything is read from its folder and from the kernel."""

    record: record.Record
    host: Host

    @property
    def name(self) -> str:
        return self.record.spec.name

    @property
    def spec(self) -> MachineSpec:
        return self.record.spec

    @property
    def address(self) -> str:
        """As it is now: it changes when the lab moves to another network."""
        return (record.load(self.folder) or self.record).address

    @property
    def folder(self) -> Path:
        """Where the host keeps it."""
        return self.host.folder(self.name)

    @property
    def disk(self) -> Disk:
        """Its disk on the host."""
        return Disk(self.folder)

    @property
    def id(self) -> str:
        """What systemd-nspawn and the control groups call it."""
        return self.host.names.machine(self.name)

    @property
    def state(self) -> MachineState:
        if self.leader():
            return MachineState.RUNNING
        if not self.disk.made:
            return MachineState.BROKEN
        return MachineState.STARTING if self.host.cgroups.pids(self.id) else MachineState.STOPPED

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        return self._run(argv, user=user, input=input, timeout_s=timeout_s)

    def shell_argv(self, argv: Sequence[str] = (), *, user: str = "student", terminal: bool = True) -> list[str]:
        leader = self._running()
        return self._inside(leader, enter.shell(leader.pid, argv, user=user, terminal=terminal))

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        done = self.run(put_argv(path, mode, owner), input=data, timeout_s=FILE_TIMEOUT_S)
        done.check(f"{path} could not be written in {self.name}", fix="Check that the disk is not full.")

    def put_file(self, path: str, source: Path, *, mode: int = 0o644, owner: str = "root") -> None:
        with source.open("rb") as file:
            done = self._run(put_argv(path, mode, owner), stdin=file, timeout_s=FILE_TIMEOUT_S)
        done.check(f"{path} could not be written in {self.name}", fix="Check that the disk is not full.")

    def get(self, path: str, *, limit_bytes: int = 8 * 1024 * 1024) -> bytes:
        done = self._run(get_argv(path, limit_bytes), timeout_s=FILE_TIMEOUT_S, output_limit=limit_bytes + 1)
        return content(done, f"{path} could not be read in {self.name}", limit_bytes)

    def usage(self) -> Usage:
        return usage.of_machine(self.host.cgroups, self.id, self.folder)

    def start(self) -> bool:
        """Boot it unless it runs, with its network made right in any case. What is left of an earlier, interrupted start is ended first, and
        so is a machine that lost its end of the cable: it cannot get another. One that is shutting down is let finish that."""
        with self.host.locked(self.name):
            if self.leader() and network.exists(self.host.names.veth(self.name)):
                self.host.cgroups.let_go(self.id)
                if not is_ending(self):
                    self._mend_network()
                    return False
                self._power_off()
            self._end_all()
            self.disk.make(self.record.image, self.spec)
            with self.host.locked():
                self.host.want(self.name)
                self.host.settings.borrow()
                lan = self.host.network_for(self.spec.lab)
            spawn.link_image(self.folder, self.record.image)
            spawn.refuse_without_shared(self.spec)
            spawn.write_boot_files(
                self.folder, address=self.address, gateway=lan.gateway, mtu=network.uplink_mtu(), nameservers=network.nameservers()
            )
            argv = spawn.nspawn_argv(self.folder, self.spec, machine=self.id, bridge=lan.bridge)
            groups = self.host.cgroups.create(self.id, self.spec.memory_mib)
            spawn.boot(self.folder, argv, entry=self.host.cgroups.entry(self.id, self.spec.memory_mib), groups=groups)
            if not self.leader():
                raise LabError(f"The machine {self.name} ended right after its start", why="Its first process is gone.", fix="Try again.")
            return True

    def stop(self) -> None:
        """Shut it down as an administrator would; what does not end in time is killed."""
        with self.host.locked(self.name):
            self._power_off()
            self._end_all()
            self.host.tidy()

    def halt(self) -> None:
        with self.host.locked(self.name):
            self._end_all()
            self.host.tidy()

    def paused(self) -> AbstractContextManager[bool]:
        return self.host.cgroups.held(self.id)

    def delete(self) -> None:
        with self.host.locked(self.name):
            self._end_all()
            self.disk.forget()  # from here on there is no whole machine any more
            # What tells of it goes last: until then it is listed, and deleting it again finishes the work.
            for part in self.folder.glob("*"):
                if part.name != record.FILE:
                    remove_tree(part)
            self.host.tidy(without=self.name)
            remove_tree(self.folder)

    def replace(self, new: record.Record, *, keep: str = "") -> None:
        """End it at once and let the machine of `new`, without a disk so far, take its name and place; its disk becomes snapshot `keep`."""
        with self.host.locked(self.name):
            self._end_all()
            if keep and keep not in self.disk.snapshots():  # else an interrupted call came so far
                self.disk.set_aside(keep)
            self.disk.forget()
            record.save(new, self.folder)

    def sweep(self) -> None:
        """Remove disks that are not in use any more."""
        with self.host.locked(self.name):
            self.disk.sweep()

    def snapshot(self, name: str) -> None:
        with self.host.locked(self.name):
            freezer = self.host.cgroups.freezer(self.id)
            if not (freezer and freezer.frozen):
                self._must_be_stopped("A snapshot")
                if not self.disk.made:
                    raise LabError("A snapshot needs a whole machine", why=f"{self.name} was never finished.", fix="Run `lab start`.")
            self.disk.snapshot(name)

    def restore(self, name: str, *, keep: str = "") -> None:
        with self.host.locked(self.name):
            self._must_be_stopped("Restoring")
            self.disk.restore(name, keep=keep)
            if then := record.load(self.disk.snapshot_folder(name)):  # the image and the shared folders that its files belong to
                record.save(replace(then, address=self.address), self.folder)

    def snapshot_bytes(self, name: str) -> int:
        return self.disk.snapshot_bytes(name)

    def snapshots(self) -> list[str]:
        return self.disk.snapshots()

    def delete_snapshot(self, name: str) -> None:
        with self.host.locked(self.name):
            self.disk.delete_snapshot(name)

    def leader(self) -> Process | None:
        """Its init process, if it has come so far that units can be started."""
        try:
            stored = Process(**json.loads((self.folder / "leader.json").read_text()))
        except (FileNotFoundError, PermissionError, ValueError, TypeError):
            stored = None
        if stored and stored.alive:
            return stored
        return self._find_leader()

    def _find_leader(self) -> Process | None:
        for pid in sorted(self.host.cgroups.pids(self.id)):
            # Only whether the mark exists is asked, so it does not matter where the machine's links lead.
            if is_first_of_namespace(pid) and os.path.lexists(f"/proc/{pid}/root{spawn.MARK}") and (found := Process.of(pid)):
                known = {"pid": found.pid, "started": found.started, "boot": found.boot}
                files.write_json(self.folder / "leader.json", known, mode=0o644)  # a user who is not root looks there before asking us
                return found
        return None

    def _mend_network(self) -> None:
        """A host's firewall may have been loaded anew, its bridge removed, its resolvers changed, while the machine ran."""
        with self.host.locked():
            lan = self.host.networks.set_up(self.spec.lab)
            self.host.networks.plug(self.host.names.veth(self.name), lan)
        if spawn.write_resolvers(self.folder, network.nameservers()):
            copied = self.run(["/bin/sh", "-c", "cat /run/courselab/resolv.conf > /etc/resolv.conf"], timeout_s=10)
            copied.check(f"{self.name} could not be told which resolvers there are now")

    def _running(self) -> Process:
        if leader := self.leader():
            return leader
        raise self._not_running()

    def _not_running(self) -> Unreachable:
        return Unreachable(f"The machine {self.name} is not running", why=f"It is {self.state.value}.", fix="Run `lab resume`.")

    def _run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        user: str = "root",
        input: bytes | None = None,
        stdin: IO[bytes] | None = None,
        output_limit: int = process.OUTPUT_LIMIT_BYTES,
    ) -> Completed:
        leader = self._running()
        inside = self._inside(leader, enter.entering(leader.pid, argv, user=user))
        try:
            done = process.run(inside, input=input, stdin=stdin, timeout_s=timeout_s, output_limit=output_limit)
        except CommandTimeout as late:
            what = f"`{' '.join(argv[:3])[:100]}` did not end within {timeout_s:g} s in {self.name}"
            raise CommandTimeout(what, why=late.why, fix=late.fix, detail=repr(list(argv))) from late
        if done.code != 0 and not leader.alive:
            raise self._not_running()
        return replace(done, argv=tuple(argv))

    def _inside(self, leader: Process, argv: Sequence[str]) -> list[str]:
        try:
            return enter.joining(enter.groups_of(leader.pid, self.host.cgroups.tops), argv)
        except (FileNotFoundError, ProcessLookupError) as gone:
            raise self._not_running() from gone

    def _must_be_stopped(self, what: str) -> None:
        if self.host.cgroups.pids(self.id):
            raise LabError(f"{what} needs {self.name} to be stopped", why="It is running.", fix="Run `lab stop` first.")

    def _power_off(self) -> None:
        if leader := self.leader():
            kill_and_wait([leader.pid], number=POWER_OFF, timeout_s=STOP_TIMEOUT_S)

    def _end_all(self) -> None:
        self.host.cgroups.end(self.id)
        self.host.unplug(self.name)
        (self.folder / "leader.json").unlink(missing_ok=True)
        self.host.want_no_more(self.name)
