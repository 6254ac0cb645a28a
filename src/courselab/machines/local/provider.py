"""The provider `local`, as root: systemd-nspawn machines on this Linux host."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from courselab.errors import LabError, UsageError
from courselab.machines.base import Availability, MachineSpec
from courselab.machines.local import image, record
from courselab.machines.local.host import Host
from courselab.machines.local.machine import LocalMachine
from courselab.machines.local.network import FIRST_HOST
from courselab.paths import Paths
from courselab.progress import Progress, Silent


@dataclass(frozen=True)
class LocalProvider:
    """Machines on this host. Needs root; `courselab.machines.local.provider_for` gives one that asks sudo where needed."""

    paths: Paths
    progress: Progress = field(default_factory=Silent)

    @property
    def name(self) -> str:
        return "local"

    @property
    def host(self) -> Host:
        """What the machines share."""
        return Host.of(self.paths.machines)

    def available(self) -> Availability:
        return Availability(os.geteuid() == 0)

    def prepare(self) -> None:
        self._image()

    def create(self, spec: MachineSpec) -> LocalMachine:
        _check(spec)
        root = self._image().root
        host = self.host
        with host.locked(spec.name):
            found = record.load(host.folder(spec.name))
            if found and found.spec != spec:
                why = "It was made with other settings."
                raise LabError(f"There already is another machine {spec.name}", why=why, fix="Delete it first.")
            if not found:
                with host.locked():
                    found = record.Record(spec, self._free_address(host, spec.lab), root)
                    record.save(found, host.folder(spec.name))
        machine = LocalMachine(found, host)
        machine.start()
        return machine

    def get(self, name: str) -> LocalMachine | None:
        host = self.host
        found = record.load(host.folder(name))
        return LocalMachine(found, host) if found else None

    def list(self, lab: str | None = None) -> list[LocalMachine]:
        host = self.host
        return [LocalMachine(found, host) for found in host.records() if lab in {None, found.spec.lab}]

    def _image(self) -> image.Image:
        recipe = self.paths.infra / "machine"
        found = image.find_image(recipe, self.paths.cache, image.host_suite())
        if not found.ready:
            image.build(found, recipe, image.host_sources(), self.progress)
        return found

    def _free_address(self, host: Host, lab: str) -> str:
        net = host.networks.of(lab).net
        used = {found.address for found in host.records()}
        return next(str(address) for address in list(net.hosts())[FIRST_HOST - 1 :] if str(address) not in used)


def _check(spec: MachineSpec) -> None:
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", spec.name):
        raise UsageError(f"{spec.name!r} is no name for a machine", why="Letters, digits, dots, dashes and underscores are.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", spec.hostname):
        raise UsageError(f"{spec.hostname!r} is no host name", why="Small letters, digits and dashes are.")
