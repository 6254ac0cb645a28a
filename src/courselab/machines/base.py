"""The Machine and Provider interfaces. Providers (local, multipass, …) implement them; nothing else knows how a machine is made."""

from __future__ import annotations

import builtins
import enum
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from courselab.process import Completed

__all__ = ["Availability", "Completed", "Machine", "MachineSpec", "MachineState", "Mount", "Provider", "Usage"]


class MachineState(enum.Enum):
    """A machine's state, the same words for all providers."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"
    BROKEN = "broken"  # half made, or died half-way: start finishes it, delete removes it
    UNKNOWN = "unknown"  # the provider cannot tell


@dataclass(frozen=True)
class Availability:
    """Whether a provider can be used here; if not, why, and what would make it so."""

    usable: bool
    why: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Mount:
    """A folder of the host that the machine sees. Providers that cannot share folders copy a read-only one."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class MachineSpec:
    """What a machine should be. Equal specs mean the same machine."""

    name: str  # unique on this computer: "k3s-02-server"
    hostname: str  # what the machine calls itself, and so its node name: "server"
    lab: str  # the lab it belongs to: "02". Machines of one lab share a network; other labs' machines are not reachable.
    cpus: int = 2
    memory_mib: int = 2048
    disk_gib: int = 10
    mounts: tuple[Mount, ...] = ()
    student_uid: int = 1000  # the user `student` gets this number, so that files in a shared folder belong to the learner

    def to_json(self) -> dict[str, Any]:
        """As values."""
        mounts = [{**asdict(mount), "source": str(mount.source)} for mount in self.mounts]
        return {**asdict(self), "mounts": mounts}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> MachineSpec:
        """From what JSON keeps of it."""
        mounts = tuple(Mount(Path(mount["source"]), mount["target"], mount["writable"]) for mount in stored["mounts"])
        fields: dict[str, Any] = {**stored, "mounts": mounts}
        return cls(**fields)


@dataclass(frozen=True)
class Usage:
    """What a machine takes of this computer now. None where that cannot be told."""

    memory_mib: int | None = None  # without what the kernel keeps only because there is room
    disk_mib: int | None = None
    cpu_percent: float | None = None  # of one CPU, over the last moment


class Machine(Protocol):
    """One machine. Every call that reaches into it has a deadline; Unreachable says that it did not answer."""

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> MachineSpec: ...
    @property
    def address(self) -> str:
        """Its IPv4 address, reachable from the host and from machines of the same lab. Stays the same across restarts, unless the host's
        network changed so that it cannot.
        """
        ...

    @property
    def state(self) -> MachineState: ...

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        """Run a command inside with a login-like environment (HOME, PATH, USER) and return what it left, whatever its exit code.

        Raises Unreachable if the machine is not running or does not answer, CommandTimeout at the deadline.
        """
        ...

    def shell_argv(self, argv: Sequence[str] = (), *, user: str = "student", terminal: bool = True) -> list[str]:
        """The host command that runs a login shell inside, or `argv` with a login shell's environment.

        With `terminal`, the program inside gets a terminal of its own; without, its output and errors stay apart and unchanged.
        """
        ...

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file inside, atomically; folders are made."""
        ...

    def put_file(self, path: str, source: Path, *, mode: int = 0o644, owner: str = "root") -> None:
        """Like put, for a large file of the host; the provider chooses the cheapest way."""
        ...

    def get(self, path: str, *, limit_bytes: int = 8 * 1024 * 1024) -> bytes:
        """Read a file inside. Raises LabError if it is not there or is larger than the limit."""
        ...

    def usage(self) -> Usage:
        """What it takes of this computer; a stopped one takes only disk."""
        ...

    def start(self) -> bool:
        """Start it unless it runs, and say whether it had to be started. One that is shutting down is waited for, then started.
        One that runs is connected again, if the host's network changed meanwhile.
        """
        ...

    def stop(self) -> None: ...
    def halt(self) -> None:
        """End it as fast as nothing of the learner's gets lost on the host: its own disk is as after a power cut."""
        ...

    def paused(self) -> AbstractContextManager[bool]:
        """Hold a running machine still for as long as the `with` block runs, then let it go on; whoever dies meanwhile, it goes on.

        Gives False, and does nothing, where the provider cannot: stop the machine instead.
        """
        ...

    def delete(self) -> None:
        """Remove the machine and everything it left on the host, but not the learner's shared folders. Works from any state."""
        ...

    def snapshot(self, name: str) -> None:
        """Keep the state of this stopped or paused machine under `name`: there whole, or not at all."""
        ...

    def snapshot_bytes(self, name: str) -> int:
        """What snapshot `name` takes of the disk, 0 where that cannot be told."""
        ...

    def restore(self, name: str, *, keep: str = "") -> None:
        """Put this stopped machine back to snapshot `name`. What it was before becomes snapshot `keep`, if one is named
        and the provider's snapshots are cheap.
        """
        ...

    def snapshots(self) -> list[str]: ...
    def delete_snapshot(self, name: str) -> None: ...


class Provider(Protocol):
    """A way to have machines."""

    @property
    def name(self) -> str: ...
    @property
    def cheap_snapshots(self) -> bool:
        """Whether a snapshot costs about a second and no restart, so that one can be taken without being asked for."""
        ...

    def available(self) -> Availability: ...

    def prepare(self) -> None:
        """Make what every machine needs once (packages, the machine image), showing progress. Quick when it is there."""
        ...

    def create(self, spec: MachineSpec, *, anew: bool = False, keep: str = "") -> Machine:
        """A running machine that fits `spec`. Idempotent: an equal one is started and returned, a half-made one is finished.

        With `anew` the new machine takes the place of one of that name, of which only snapshots may remain. What it was becomes snapshot
        `keep`, if one is named and the provider's snapshots are cheap.
        """
        ...

    def crossed(self, lab: str) -> str:
        """Which network this computer has come to use for something else though the lab's machines are in it; "" if none.

        Machines that all are stopped move to another one when they are started.
        """
        ...

    def sweep(self, lab: str) -> None:
        """Remove what machines made anew have left on disk. It may take a while, so let it run beside other things."""
        ...

    def leftovers(self, busy: Collection[str], *, remove: bool) -> builtins.list[str]:
        """What crashed runs have left on this computer beside machines, in words; removed with `remove`. Labs in `busy` are not looked at."""
        ...

    def pack(self, folder: Path) -> builtins.list[Path]:
        """Write what every machine needs into `folder`, as files that can be carried to a computer like this one; none where that cannot be."""
        ...

    def unpack(self, archive: Path) -> None:
        """Take one of these files for use here."""
        ...

    def get(self, name: str) -> Machine | None: ...
    def list(self, lab: str | None = None) -> list[Machine]: ...
