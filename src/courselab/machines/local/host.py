"""What the machines of one state folder share on this host: names, locks, control groups, networks, kernel settings."""

from __future__ import annotations

import fcntl
import ipaddress
import shutil
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from courselab import process
from courselab.locks import locked
from courselab.machines.local import record
from courselab.machines.local.cgroups import Cgroups
from courselab.machines.local.hostsettings import HostSettings
from courselab.machines.local.names import HostNames
from courselab.machines.local.network import Lan, Networks, exists
from courselab.machines.local.processes import boot_id

NSPAWN_RUN = Path("/run/systemd/nspawn")


@dataclass(frozen=True)
class Host:
    """This host, seen from one state folder."""

    machines: Path
    names: HostNames
    cgroups: Cgroups
    networks: Networks
    settings: HostSettings

    @classmethod
    def of(cls, machines: Path) -> Host:
        """The host for the machines below `machines`."""
        names = HostNames.of(machines)
        return cls(machines, names, Cgroups.of_host(names), Networks(machines, names), HostSettings(names.key, machines, boot_id()))

    def of_key(self, key: str) -> Host:
        """This host as seen from a state folder of which only the key is known, or from this one."""
        if key == self.names.key:
            return self
        names, nowhere = HostNames(key), self.machines / ".nowhere"
        return Host(nowhere, names, Cgroups.of_host(names), Networks(nowhere, names), HostSettings(key, nowhere, boot_id()))

    def folder(self, name: str) -> Path:
        """Where the machine `name` is kept."""
        return self.machines / name

    def locked(self, name: str = "") -> AbstractContextManager[None]:
        """Hold the lock of the machine `name`, or the one for what all share. Ends with the process that holds it."""
        return locked(self._lock_file(name))

    def _lock_file(self, name: str) -> Path:
        locks = self.machines / ".locks"
        if not locks.is_dir():
            locks.mkdir(parents=True, exist_ok=True)
            for folder in (self.machines, locks):
                folder.chmod(0o755)  # who may enter the state folder may see what machines there are
        return locks / (name or ".all")

    def records(self) -> list[record.Record]:
        """Every machine there is, whole or half-made."""
        return record.all_below(self.machines)

    def unplug(self, name: str) -> None:
        """Remove what systemd-nspawn leaves on the host when it is killed."""
        veth = self.names.veth(name)
        if exists(veth):
            process.run(["ip", "link", "delete", veth], timeout_s=10)  # it may go by itself meanwhile
        for kind in ("propagate", "unix-export"):
            shutil.rmtree(NSPAWN_RUN / kind / self.names.machine(name), ignore_errors=True)
        remove_unheld(NSPAWN_RUN / "locks")

    def tidy(self, *, without: str = "") -> None:
        """After a machine ended: take down what no machine uses, and put the host's settings back after the last one.

        `without`: a machine that is listed but about to go.
        """
        with self.locked():
            there = [found for found in self.records() if found.spec.name != without]
            running = {found.spec.lab for found in there if self.is_wanted(found.spec.name)}
            for lab in self.networks.known():
                if lab not in {found.spec.lab for found in there}:
                    self.networks.forget(lab)
                elif lab not in running:
                    self.networks.take_down(self.names.bridge(lab))
            if not running:
                self.settings.give_back(self.has_machines)

    def network_for(self, lab: str) -> Lan:
        """The network of `lab`, ready to be used. If this host has come to use it otherwise and no machine is in it, the lab moves to
        another, and its machines get new addresses there. Callers hold the lock for what all share."""
        mine = [found for found in self.records() if found.spec.lab == lab]
        if self.networks.crossed(lab) and not any(self.cgroups.pids(self.names.machine(found.spec.name)) for found in mine):
            old, _ = self.networks.of(lab).net, self.networks.move(lab)
            new = self.networks.of(lab).net
            for found in mine:
                place = int(ipaddress.IPv4Address(found.address)) - int(old.network_address)
                record.save(replace(found, address=str(new[place])), self.folder(found.spec.name))
        return self.networks.set_up(lab)

    def want(self, name: str) -> None:
        """Note that the machine `name` is to run, so that nobody takes away what it needs while it starts."""
        self._wanted(name).write_text(boot_id())

    def want_no_more(self, name: str) -> None:
        """Note that the machine `name` is not to run."""
        self._wanted(name).unlink(missing_ok=True)

    def is_wanted(self, name: str) -> bool:
        """Whether the machine `name` runs or is about to."""
        try:
            return self._wanted(name).read_text() == boot_id()
        except FileNotFoundError:
            return False

    def _wanted(self, name: str) -> Path:
        return self.folder(name) / "wanted"

    def has_machines(self, key: str, machines: Path) -> bool:
        """Whether another state folder, by its key and place, has any machine."""
        return bool(record.all_below(machines)) or Cgroups(HostNames(key), self.cgroups.hierarchies, self.cgroups.systemd).any_running()


def remove_unheld(locks: Path) -> None:
    """Remove the lock files in a folder of systemd's that nobody holds: those of processes that were killed.

    Whoever opened one meanwhile sees that it has no name any more and makes another (systemd, src/basic/lockfile-util.c).
    """
    for path in locks.glob("inode-*"):
        with suppress(FileNotFoundError, BlockingIOError, PermissionError), path.open("r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # against systemd's own kind of lock, not flock's
            path.unlink(missing_ok=True)
