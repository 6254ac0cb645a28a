"""What the virtual machines of one state folder share on this host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from courselab.machines.base import MachineSpec
from courselab.machines.multipass.command import Command
from courselab.machines.multipass.keys import public_key, user_data
from courselab.machines.multipass.launch import Launcher, Waiting
from courselab.machines.multipass.turns import Glance, Turns
from courselab.progress import Progress


@dataclass(frozen=True)
class Host:
    """This host, its `multipass`, and the records of our machines."""

    command: Command
    glance: Glance
    turns: Turns
    waiting: Waiting
    folder: Path  # of records, one file a machine
    cache: Path
    recipe: Path  # infra/multipass
    progress: Progress

    @classmethod
    def of(cls, command: Command, waiting: Waiting, *, state: Path, cache: Path, recipe: Path, progress: Progress) -> Host:
        """The host whose records are in the state folder."""
        return cls(command, Glance(command, waiting.clock), Turns(), waiting, state / "multipass", cache, recipe, progress)

    @property
    def launcher(self) -> Launcher:
        """Brings machines up."""
        return Launcher(self.command, self.glance, self.turns, self.waiting)

    def user_data(self, spec: MachineSpec) -> bytes:
        """The machine's cloud-init data."""
        template = (self.recipe / "user-data.yaml").read_text(encoding="utf-8")
        return user_data(template, hostname=spec.hostname, ssh_key=public_key(self.folder / "key"))

    def setup(self) -> bytes:
        """The script that finishes a new machine."""
        return (self.recipe / "setup").read_bytes()
