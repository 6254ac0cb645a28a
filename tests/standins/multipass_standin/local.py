"""Machines below the stand-in: those of the course's provider `local`, all in one network, with a real cloud-init."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from courselab import process
from courselab.errors import LabError
from courselab.machines.base import MachineSpec, MachineState, Mount
from courselab.machines.local import enter
from courselab.machines.local.machine import LocalMachine
from courselab.machines.local.provider import LocalProvider
from courselab.paths import find_paths
from courselab.progress import Silent
from multipass_standin.image import variant
from multipass_standin.world import Instance

LAB = "multipass"
SEED = "/var/lib/cloud/seed/nocloud"
MIB = 1 << 20


class LocalEngine:
    """systemd-nspawn machines."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._provider = LocalProvider(variant(find_paths(), home), Silent(), lambda _: True)

    def prepare(self) -> None:
        """The image, made once."""
        self._provider.prepare()

    def create(self, instance: Instance, seed: Path) -> str:
        """Boot a new machine; returns its address."""
        spec = MachineSpec(
            instance.name, instance.name.lower(), LAB, instance.cpus, instance.memory // MIB, instance.disk >> 30 or 1, (Mount(seed, SEED),)
        )
        machine = self._provider.create(spec)
        machine.run(["rmdir", "/home/student"], timeout_s=10)  # only there because LocalProvider wants it in the image
        return machine.address

    def initialised(self, name: str, timeout_s: float) -> bool:
        """Wait until cloud-init has finished."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._machine(name).run(["test", "-e", "/var/lib/cloud/instance/boot-finished"], timeout_s=10).code == 0:
                return True
            time.sleep(0.1)
        return False

    def state(self, name: str) -> str:
        machine = self._provider.get(name)
        if machine is None:
            return "Unknown"
        return {MachineState.RUNNING: "Running", MachineState.STARTING: "Starting"}.get(machine.state, "Stopped")

    def start(self, name: str) -> None:
        self._machine(name).start()

    def stop(self, name: str) -> None:
        self._machine(name).stop()

    def delete(self, name: str) -> None:
        machine = self._provider.get(name)
        if machine:
            machine.delete()

    def snapshot(self, name: str, snapshot: str) -> None:
        self._machine(name).snapshot(snapshot)

    def restore(self, name: str, snapshot: str) -> None:
        self._machine(name).restore(snapshot)

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        self._machine(name).delete_snapshot(snapshot)

    def clone(self, instance: Instance, source: str, seed: Path) -> str:
        address = self.create(instance, seed)
        copy = self._machine(instance.name)
        copy.stop()
        for part in ("upper", "data"):
            process.run(["rm", "-rf", str(copy.disk.current / part)], timeout_s=60)
            from_to = [str(self._machine(source).disk.current / part), str(copy.disk.current / part)]
            process.run(["cp", "--archive", *from_to], timeout_s=600).check("The clone could not be made")
        return address

    def execute(self, name: str, command: str, *, terminal: bool) -> int:
        """Run a shell command as ubuntu with our own standard streams."""
        machine = self._machine(name)
        shell = ["/bin/bash", "-c", command]
        if terminal:
            return subprocess.call(machine.shell_argv(shell, user="ubuntu"))
        leader = machine._running()
        return subprocess.call(machine._inside(leader, enter.entering(leader.pid, shell, user="ubuntu")))

    def ask(self, name: str, command: str, *, input: bytes | None = None) -> process.Completed:
        """Run a shell command as ubuntu for the stand-in itself."""
        return self._machine(name).run(["/bin/bash", "-c", command], user="ubuntu", timeout_s=600, input=input)

    def _machine(self, name: str) -> LocalMachine:
        found = self._provider.get(name)
        if found is None:
            raise LabError(f"There is no machine {name}")
        return found


def argv_text(words: Sequence[str]) -> str:
    """Each word escaped, as Multipass escapes for the remote shell."""
    import shlex

    return " ".join(shlex.quote(word) for word in words)
