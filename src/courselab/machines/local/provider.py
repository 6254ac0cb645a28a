"""The provider `local`, as root: systemd-nspawn machines on this Linux host."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from courselab.errors import LabError, UsageError
from courselab.machines.base import Availability, Machine, MachineSpec
from courselab.machines.local import available, image, packages, record
from courselab.machines.local.host import Host
from courselab.machines.local.leftovers import clear, leftovers
from courselab.machines.local.machine import LocalMachine
from courselab.machines.local.network import FIRST_HOST
from courselab.paths import Paths
from courselab.progress import Ask, Progress

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")


@dataclass(frozen=True)
class LocalProvider:
    """Machines on this host. Needs root; `courselab.machines.local.local_provider` gives one that goes through sudo where needed."""

    paths: Paths
    progress: Progress
    ask: Ask

    @property
    def name(self) -> str:
        return "local"

    @property
    def cheap_snapshots(self) -> bool:
        return True

    @property
    def host(self) -> Host:
        """What the machines share."""
        return Host.of(self.paths.machines)

    def available(self) -> Availability:
        return available.judge(available.look(self.paths.state))

    def prepare(self) -> None:
        """Install what is missing, make the image, remove images that nothing uses any more."""
        current = self._image()
        needed = [need for need in packages.missing() if need.program != packages.MAKES_IMAGE or not current.ready]
        packages.install(needed, self.ask, self.progress, carried=self.paths.cache / "debs")
        if not current.ready:
            image.build(current, self._recipe, image.host_sources(), self.progress)
            image.remove_unused(self.paths.cache, current, record.images_below)

    def create(self, spec: MachineSpec, *, anew: bool = False, keep: str = "") -> LocalMachine:
        _check(spec)
        self.prepare()
        host = self.host
        if anew and (old := self.get(spec.name)):
            old.replace(self._remembered(host, spec, old.address), keep=keep)
        with host.locked(spec.name), host.locked():
            found = record.load(host.folder(spec.name)) or self._new(host, spec)
        if found.spec != spec:
            raise LabError(
                f"There already is another machine {spec.name}",
                why="It was made with other settings.",
                fix=f"`lab delete {spec.lab}`, then run the command again. Your files stay.",
            )
        machine = LocalMachine(found, host)
        machine.start()
        return machine

    def get(self, name: str) -> LocalMachine | None:
        host = self.host
        found = record.load(host.folder(name)) if NAME.fullmatch(name) else None
        return LocalMachine(found, host) if found else None

    def list(self, lab: str | None = None) -> list[Machine]:
        host = self.host
        return [LocalMachine(found, host) for found in host.records() if lab in {None, found.spec.lab}]

    def crossed(self, lab: str) -> str:
        return self.host.networks.crossed(lab)

    def sweep(self, lab: str) -> None:
        for found in self.host.records():
            if found.spec.lab == lab:
                LocalMachine(found, self.host).sweep()

    def leftovers(self, busy: Collection[str], *, remove: bool) -> list[str]:
        return clear(leftovers(self.host, self.paths.cache / "machine-image", busy), remove=remove)

    def pack(self, folder: Path) -> list[Path]:
        self.prepare()
        return [image.pack(self._image(), folder)]

    def unpack(self, archive: Path) -> None:
        image.unpack(self._image(), archive)

    @property
    def _recipe(self) -> Path:
        return self.paths.infra / "machine"

    def _image(self) -> image.Image:
        return image.find_image(self._recipe, self.paths.cache, image.host_suite())

    def _new(self, host: Host, spec: MachineSpec) -> record.Record:
        """Remember a new machine before anything of it is made, so that whatever happens then can be finished or removed."""
        found = self._remembered(host, spec, self._free_address(host, spec.lab))
        record.save(found, host.folder(spec.name))
        return found

    def _remembered(self, host: Host, spec: MachineSpec, address: str) -> record.Record:
        current = self._image()
        image.use(current, host.names.key, host.machines)
        return record.Record(spec, address, current.root)

    def _free_address(self, host: Host, lab: str) -> str:
        net = host.networks.of(lab).net
        used = {found.address for found in host.records()}
        return next(address for host_part in range(FIRST_HOST, 255) if (address := str(net[host_part])) not in used)


def _check(spec: MachineSpec) -> None:
    if not NAME.fullmatch(spec.name):
        raise UsageError(
            f"{spec.name[:40]!r} is no name for a machine", why="Letters, digits, dots, dashes and underscores are.", fix="Choose another."
        )
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", spec.hostname):
        raise UsageError(f"{spec.hostname[:40]!r} is no host name", why="Small letters, digits and dashes are.", fix="Choose another.")
    for mount in spec.mounts:
        if not mount.source.is_absolute() or not mount.target.startswith("/") or not mount.source.exists():
            raise UsageError(f"{mount.source} cannot be shared with a machine", why="It is not there.", fix="Make the folder first.")
