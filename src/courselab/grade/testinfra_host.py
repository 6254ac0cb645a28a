"""pytest-testinfra over our own machines: `host.file(…)`, `host.service(…)`, with a deadline on every command."""

from __future__ import annotations

from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult  # pyright: ignore[reportMissingTypeStubs]
from testinfra.host import Host  # pyright: ignore[reportMissingTypeStubs]

from courselab.machines.base import Machine

COMMAND_DEADLINE_S = 20.0
# The system's programs come before those that a student put beside K3s's own.
_ENVIRONMENT = ("/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "HOME=/root", "LANG=C.UTF-8")


class MachineBackend(BaseBackend):
    """Runs testinfra's shell commands through Machine.run, as root."""

    NAME = "courselab"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.name)
        self._machine = machine
        self._encoding = "utf-8"  # otherwise testinfra runs another Python over there to find out

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Run one command and return what it left."""
        line: str = self.get_command(command, *args)
        done = self._machine.run([*_ENVIRONMENT, "/bin/sh", "-c", line], timeout_s=COMMAND_DEADLINE_S)
        return self.result(done.code, self.encode(line), done.stdout, done.stderr)

    def decode(self, data: bytes) -> str:
        """What a command printed as text; a student's files may hold anything, UTF-16 of an editor on Windows for one."""
        return data.decode("utf-8", "replace")


def host_of(machine: Machine) -> Host:
    """A testinfra Host for a machine. Each command costs a round trip: batch what you can."""
    backend = MachineBackend(machine)
    host = Host(backend)
    backend.set_host(host)
    return host
