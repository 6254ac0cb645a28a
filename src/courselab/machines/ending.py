"""Whether a machine that still runs is on its way down: `lab stop` was killed while it waited, or somebody typed `poweroff` in it."""

from __future__ import annotations

from courselab.errors import Unreachable
from courselab.machines.base import Machine, MachineState

_ASK_S = 30.0
# What `systemctl is-system-running` says of a machine that stays up (systemd, man/systemctl.xml); "stopping", "offline" or nothing is said of others.
_STAYS = frozenset({"initializing", "starting", "running", "degraded", "maintenance"})


def is_ending(machine: Machine) -> bool:
    """Ask a running machine whether it is shutting down. Raises Unreachable or CommandTimeout if it runs, but does not answer."""
    try:
        said = machine.run(["systemctl", "is-system-running"], timeout_s=_ASK_S).text
    except Unreachable:
        if machine.state is MachineState.RUNNING:
            raise
        return True
    return said.strip() not in _STAYS
