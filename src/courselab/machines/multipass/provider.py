"""The provider `multipass`: virtual machines of Canonical's Multipass, on Linux, macOS and Windows."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from courselab.errors import LabError, UsageError
from courselab.machines.base import Availability, Machine, MachineSpec
from courselab.machines.multipass import record
from courselab.machines.multipass.command import Command
from courselab.machines.multipass.failures import MultipassError
from courselab.machines.multipass.host import Host
from courselab.machines.multipass.keys import public_key
from courselab.machines.multipass.launch import Waiting
from courselab.machines.multipass.machine import MultipassMachine
from courselab.machines.multipass.record import Record
from courselab.machines.multipass.system import System
from courselab.machines.multipass.turns import Turns
from courselab.paths import Paths
from courselab.progress import Progress

_OLDEST = (1, 13)  # snapshots
_TURNS = Turns()  # of all labs: several may be started at once, and Multipass is one
_RESERVED = "primary"  # Multipass shares the user's home with a machine of this name


@dataclass(frozen=True)
class MultipassProvider:
    """Virtual machines. Of those that Multipass has, ours are the ones with a record; no other is ever touched."""

    host: Host

    @property
    def name(self) -> str:
        return "multipass"

    @property
    def cheap_snapshots(self) -> bool:
        """A machine has to be stopped for one, and started again."""
        return False

    def available(self) -> Availability:
        """Whether its command is there, new enough, and its daemon answers this user."""
        command = self.host.command
        try:
            version = command.version()
            if not version.daemon:
                return Availability(False, "Multipass's service does not answer.", command.system.restart)
            if version.numbers < _OLDEST:
                why = f"Multipass {version.client[:20]} is too old; 1.13 or newer is needed."
                return Availability(False, why, f"{command.system.install} (or its upgrade)")
            command.list()
        except LabError as error:
            return Availability(False, error.why or error.what, error.fix)
        return Availability(True)

    def prepare(self) -> None:
        """The key; the image is fetched by Multipass with the first machine."""
        public_key(self.host.folder / "key")

    def create(self, spec: MachineSpec, *, anew: bool = False, keep: str = "") -> MultipassMachine:
        _check(spec)
        if anew and (old := self.get(spec.name)):
            old.delete()
        found = record.load(self.host.folder, spec.name)
        machine = MultipassMachine(spec.name, self.host)
        if found and found.spec != spec:
            if found.ready:
                fix = f"`lab delete {spec.lab}`, then `lab start {spec.lab}`."
                raise LabError(f"There already is another machine {spec.name}", why="It was made with other settings.", fix=fix)
            machine.delete()  # half made, when there was another K3s to be had, say: nothing in it is the learner's
            found = None
        if found and found.ready and self.host.glance.at(spec.name) is None:
            found = None  # somebody purged it: made anew
        elif not found:
            self._refuse_a_stranger(spec.name)
        if not found:
            record.save(Record(spec), self.host.folder)
        machine.start()
        return machine

    def get(self, name: str) -> MultipassMachine | None:
        return MultipassMachine(name, self.host) if record.load(self.host.folder, name) else None

    def list(self, lab: str | None = None) -> list[Machine]:
        known = [(name, record.load(self.host.folder, name)) for name in record.names(self.host.folder)]  # one may be deleted meanwhile
        return [MultipassMachine(name, self.host) for name, found in known if found and lab in (None, found.spec.lab)]

    def crossed(self, lab: str) -> str:
        """Multipass looks after its network itself; a machine whose address changed says so when it is started."""
        return ""

    def leftovers(self, busy: Collection[str], *, remove: bool) -> list[str]:
        """None beside machines: Multipass looks after the rest of the host itself."""
        return []

    def pack(self, folder: Path) -> list[Path]:
        """Nothing: Multipass fetches its image itself."""
        return []

    def unpack(self, archive: Path) -> None:
        """Nothing to do."""

    def sweep(self, lab: str) -> None:
        """Nothing to do: a deleted machine is purged at once."""

    def _refuse_a_stranger(self, name: str) -> None:
        seen = self.host.glance.at(name, max_age_s=1.0)
        if seen:
            raise MultipassError(
                f"Multipass already has a machine called {name}",
                why=f"It is {seen.said.lower() or 'in no known state'}, and this course has no record of it.",
                fix=f"If you do not need it: `multipass delete --purge {name}`; then run the command again.",
            )


def multipass_provider(paths: Paths, progress: Progress, system: System | None = None) -> MultipassProvider:
    """The provider for this computer."""
    command = Command(system or System.here())
    state, cache, recipe = paths.state, paths.cache, paths.infra / "multipass"
    host = Host.of(command, Waiting(), state=state, cache=cache, recipe=recipe, progress=progress)
    return MultipassProvider(replace(host, turns=_TURNS))


def _check(spec: MachineSpec) -> None:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", spec.name) or spec.name == _RESERVED:
        why = f"Small letters, digits and dashes are, beginning with a letter; {_RESERVED!r} is Multipass's own."
        raise UsageError(f"{spec.name!r} is no name for a machine", why=why)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", spec.hostname):
        raise UsageError(f"{spec.hostname!r} is no host name", why="Small letters, digits and dashes are.")
    if spec.cpus < 1 or spec.memory_mib < 512 or spec.disk_gib < 1:
        raise UsageError(f"{spec.name} is too small", why="Multipass needs at least 1 CPU, 512 MiB of memory and 1 GiB of disk.")
