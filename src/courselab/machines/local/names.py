"""Short names for what a machine needs on the host.

Everything is derived from the state folder and the machine's or lab's name, so that nothing made half-way is ever lost, and two
state folders on one host never meet. The kernel allows 15 characters for a network interface.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

BRIDGES = "clab"  # how every bridge of every state folder on this host begins


@dataclass(frozen=True)
class HostNames:
    """The names that belong to one state folder."""

    key: str  # five hexadecimal digits

    @classmethod
    def of(cls, state: Path) -> HostNames:
        """Names for the state folder `state`."""
        return cls(_digits(str(state.resolve()), 5))

    def machine(self, name: str) -> str:
        """What systemd-nspawn and cgroups call the machine `name`."""
        return f"{self.key}{_digits(name, 7)}"

    def veth(self, name: str) -> str:
        """The host's end of the machine's cable; systemd-nspawn makes it from `machine(name)`."""
        return f"vb-{self.machine(name)}"

    def bridge(self, lab: str) -> str:
        """The switch that the machines of `lab` are plugged into."""
        return f"{BRIDGES}{self.key}{_digits(lab, 6)}"

    @property
    def group(self) -> str:
        """The control group that holds all machines of this state folder."""
        return f"courselab-{self.key}"

    @property
    def table(self) -> str:
        """The nftables table with all our rules."""
        return f"courselab_{self.key}"


def _digits(text: str, count: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:count]
