"""One virtual machine of Multipass."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from courselab.errors import LabError, Unreachable
from courselab.machines.base import Completed, MachineSpec, MachineState, Usage
from courselab.machines.commands import MAKE_FOLDER, content, get_argv, put_argv
from courselab.machines.ending import is_ending
from courselab.machines.multipass import record, share
from courselab.machines.multipass.host import Host
from courselab.machines.multipass.inside import Inside
from courselab.machines.multipass.record import Record
from courselab.process import CommandTimeout

_START_S = 330.0
_STOP_S = 330.0  # Multipass itself waits five minutes for a machine to shut down
_FORCE_S = 60.0
_SNAPSHOT_S = 600.0
_FILE_S = 120.0
_FRESH_S = 10.0  # so long a machine that was seen running is taken to run
_SEEN_S = 1.0
# Like a file that is put, of what was sent to $4 and has $5 bytes.
_PLACE = (
    '[ "$(stat -c %s -- "$4")" = "$5" ] || { echo "it arrived incomplete" >&2; exit 1; }; '
    + MAKE_FOLDER
    + 't=$(mktemp -- "$folder/.put.XXXXXX") && mv -fT -- "$4" "$t" && chmod -- "$2" "$t" && chown -- "$3:" "$t" '
    '&& mv -T -- "$t" "$1" || { rm -f -- "$t" "$4"; exit 1; }'
)
_NO_ANSWER = (Unreachable, CommandTimeout)


@dataclass(frozen=True)
class MultipassMachine:
    """A machine of the provider `multipass`. What it is now is read from its record and from Multipass, each time."""

    name: str
    host: Host

    @property
    def record(self) -> Record:
        """What is remembered of it. Raises Unreachable when it was deleted meanwhile."""
        found = record.load(self.host.folder, self.name)
        if found is None:
            raise Unreachable(f"The machine {self.name} is gone", why="It was deleted.", fix="Run `lab start`.")
        return found

    @property
    def spec(self) -> MachineSpec:
        return self.record.spec

    @property
    def address(self) -> str:
        return self.record.address

    @property
    def state(self) -> MachineState:
        found = record.load(self.host.folder, self.name)
        seen = self.host.glance.at(self.name, max_age_s=_SEEN_S)
        if found is None or seen is None:
            return MachineState.BROKEN
        return seen.state if found.ready or seen.state is MachineState.STARTING else MachineState.BROKEN

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        return self._inside().run(argv, user=user, timeout_s=timeout_s, input=input)

    def shell_argv(self, argv: Sequence[str] = (), *, user: str = "student", terminal: bool = True) -> list[str]:
        """Multipass gives the program a terminal whenever its own input and output are one, so `terminal` needs nothing done."""
        inside = self._inside()
        if not argv:
            self._say_if_lost(f"Your files on {self.name} were not copied to this computer", lambda: self._pull(inside), LabError)
        self._push(inside)
        return inside.shell_argv(argv, user=user)

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        done = self.run(put_argv(path, mode, owner), input=data, timeout_s=_FILE_S)
        done.check(f"{path} could not be written in {self.name}")

    def put_file(self, path: str, source: Path, *, mode: int = 0o644, owner: str = "root") -> None:
        inside = self._inside()
        there = f"/tmp/courselab-put-{secrets.token_hex(6)}"  # noqa: S108 in the machine
        inside.send(source, there)
        place = ["sh", "-c", _PLACE, "sh", path, f"{mode:o}", owner, there, str(source.stat().st_size)]
        inside.run(place, user="root", timeout_s=_FILE_S).check(f"{path} could not be written in {self.name}")

    def get(self, path: str, *, limit_bytes: int = 8 * 1024 * 1024) -> bytes:
        read = get_argv(path, limit_bytes)
        done = self._inside().run(read, user="root", timeout_s=_FILE_S, output_limit=limit_bytes + 1)
        return content(done, f"{path} could not be read in {self.name}", limit_bytes)

    def start(self) -> bool:
        """Start it unless it runs; one that is not ready yet is finished. Its address is asked for anew: Multipass may have given it another."""
        found = self.record
        if not found.ready:
            self._finish(found)
            return True
        seen = self.host.glance.at(self.name)
        running = seen is not None and seen.state is MachineState.RUNNING
        if running and is_ending(self):
            self.stop()
            running = False
        if running:
            if (address := self.host.launcher.address(self.name)) != found.address:
                record.save(replace(found, address=address), self.host.folder)
            return False
        what = f"{self.name} could not be started"
        self._command("start", self.name, what=what, timeout_s=_START_S)
        record.save(replace(found, address=self.host.launcher.address(self.name), unsaved=True), self.host.folder)
        self._push(Inside(self.host.command, self.name))
        return True

    def stop(self) -> None:
        """Fetch the learner's files and shut it down; one that does not end in time is switched off."""
        if self.state is MachineState.RUNNING:
            what = f"Your files on {self.name} were not copied to this computer"
            self._say_if_lost(what, self._pull_at_end, LabError)
        what = f"{self.name} could not be stopped"
        with self.host.turns.alone():
            try:
                self._command("stop", self.name, what=what, timeout_s=_STOP_S)
            except LabError as error:
                if getattr(error, "kind", "") not in ("deadline", "starting", "unknown-state"):
                    raise
                self._command("stop", "--force", self.name, what=what, timeout_s=_FORCE_S)

    def halt(self) -> None:
        """Stop it: there is no quicker way that does not risk its disk."""
        self.stop()

    @contextmanager
    def paused(self) -> Generator[bool]:
        """Multipass keeps the state of stopped machines only."""
        yield False

    def usage(self) -> Usage:
        return self.host.command.usage(self.name)

    def delete(self) -> None:
        found = record.load(self.host.folder, self.name)
        if found is None:
            return
        seen = self.host.glance.at(self.name)
        if not found.ready and seen is None:  # a start that was interrupted while Multipass fetched its image
            later = "if Multipass still makes it, it appears later, and"
            self.host.progress.say(f"{self.name} was not there yet: {later} `multipass delete --purge {self.name}` removes it.")
        if found.ready and seen:
            try:
                self._save_before_delete(found)
            except LabError as refused:  # the way out for who does not need them
                give_up = f"If you do not need the files in it: `multipass delete --purge {self.name}`, then the command again."
                refused.fix = f"{refused.fix.rstrip('.')}. {give_up}".removeprefix(". ")
                raise
        self.host.launcher.purge(self.name)
        record.remove(self.host.folder, self.name)

    def snapshot(self, name: str) -> None:
        what = f"A snapshot of {self.name} could not be taken"
        with self.host.turns.alone():
            self._command("snapshot", self.name, "--name", name, what=what, timeout_s=_SNAPSHOT_S)

    def restore(self, name: str, *, keep: str = "") -> None:
        """The learner's files are not put back: those that are only in the machine are fetched first, and all are copied in at its start."""
        self._save_before_delete(self.record)
        if self.state is MachineState.RUNNING:
            self.stop()
        what = f"{self.name} could not be put back to snapshot {name[:40]!r}"
        with self.host.turns.alone():
            self._command("restore", f"{self.name}.{name}", "--destructive", what=what, timeout_s=_SNAPSHOT_S)
        record.save(replace(self.record, shared="", unsaved=False), self.host.folder)

    def snapshot_bytes(self, name: str) -> int:
        return 0  # Multipass does not say

    def snapshots(self) -> list[str]:
        return list(self.host.command.snapshots(self.name))

    def delete_snapshot(self, name: str) -> None:
        with self.host.turns.alone():
            if name in self.snapshots():
                what = f"Snapshot {name[:40]!r} of {self.name} could not be deleted"
                self._command("delete", f"{self.name}.{name}", "--purge", what=what, timeout_s=_SNAPSHOT_S)

    def _finish(self, found: Record) -> None:
        """Everything between the record's first writing and a machine that can be used."""
        host = self.host
        try:
            host.launcher.bring_up(found.spec, host.user_data(found.spec), host.setup())
            address = host.launcher.address(self.name)
            inside = Inside(host.command, self.name)
            for mount in found.spec.mounts:
                if not mount.writable:
                    share.fill(inside, mount, host.cache)
            self._push(inside)
        except LabError as failed:
            host.glance.forget()
            if not getattr(failed, "may_appear", False):  # else it would be a stranger's when it does
                self._forget_if_gone()
            raise
        record.save(replace(self.record, address=address, ready=True, unsaved=True), host.folder)

    def _forget_if_gone(self) -> None:
        """A launch that failed and was cleaned up leaves no record either. If Multipass cannot tell, the record stays: delete needs it."""
        try:
            gone = self.host.glance.at(self.name) is None
        except LabError:
            return
        if gone:
            record.remove(self.host.folder, self.name)

    def _command(self, *words: str, what: str, timeout_s: float) -> None:
        try:
            self.host.command.do(*words, what=what, name=self.name, timeout_s=timeout_s)
        finally:
            self.host.glance.forget()

    def _inside(self) -> Inside:
        """Its inside, if it runs: `multipass exec` would start a stopped machine."""
        seen = self.host.glance.at(self.name, max_age_s=_FRESH_S)
        if seen is None or seen.state is not MachineState.RUNNING:
            why = (
                f"Multipass says that it is {seen.said.lower() or 'in no known state'}." if seen else "Multipass does not know it any more."
            )
            raise Unreachable(f"The machine {self.name} is not running", why=why, fix="Run `lab resume`.")
        return Inside(self.host.command, self.name)

    def _push(self, inside: Inside) -> None:
        """Copy the learner's files in, if any changed since they were copied last."""
        writable = [mount for mount in self.spec.mounts if mount.writable]
        now = " ".join(share.fingerprint(mount.source) for mount in writable)
        if now != self.record.shared:
            for mount in writable:
                share.push(inside, mount)
            record.save(replace(self.record, shared=now), self.host.folder)

    def _pull(self, inside: Inside) -> None:
        """Bring the learner's files to the host. As long as the machine runs, more may be written: it stays `unsaved`."""
        for mount in self.spec.mounts:
            if mount.writable:
                share.pull(inside, mount)

    def _pull_at_end(self) -> None:
        """The same when the machine is about to end."""
        self._pull(self._inside())
        record.save(replace(self.record, unsaved=False), self.host.folder)

    def _save_before_delete(self, found: Record) -> None:
        """The learner's files outlive every machine: one that was switched off with files in it is started once more."""
        what, state = f"Files that were only on {self.name} may be lost", self.state
        if state is MachineState.RUNNING:
            self._say_if_lost(what, self._pull_at_end, *_NO_ANSWER)
        elif found.unsaved and any(mount.writable for mount in found.spec.mounts):
            if state is MachineState.STOPPED:
                self._say_if_lost(what, lambda: (self.start(), self._pull_at_end()), *_NO_ANSWER)
            else:
                self.host.progress.say(f"{what}: it neither runs nor can be started.")

    def _say_if_lost(self, what: str, save: Callable[[], object], *tolerated: type[LabError]) -> None:
        """Save the learner's files. A failure of one of the kinds `tolerated` is said, and no reason not to go on."""
        try:
            save()
        except tolerated as error:
            self.host.progress.say(f"{what}: {error.why}")
