"""Machines that exist only in memory, with the whole Machine interface."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from courselab.errors import LabError, Unreachable
from courselab.machines import Availability, Completed, Machine, MachineSpec, MachineState, Provider, Usage


@dataclass
class FakeMachine(Machine):
    """Remembers what was done to it; `answers` says what a command prints."""

    _spec: MachineSpec
    provider: FakeProvider
    _state: MachineState = MachineState.STOPPED
    files: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, dict[str, bytes]] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)
    answers: Callable[[Sequence[str]], Completed] = lambda argv: Completed(tuple(argv), 0, b"", b"")

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def spec(self) -> MachineSpec:
        return self._spec

    @property
    def address(self) -> str:
        return self.provider.addresses.get(self.name, "192.0.2.11")

    @property
    def state(self) -> MachineState:
        return self._state

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        if self._state is not MachineState.RUNNING:
            raise Unreachable(f"{self.name} is not running")
        self.ran.append(tuple(argv))
        return self.answers(argv)

    def shell_argv(self, argv: Sequence[str] = (), *, user: str = "student", terminal: bool = True) -> list[str]:
        return ["enter", self.name, user, *argv]

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        self.files[path] = data

    def put_file(self, path: str, source: Path, *, mode: int = 0o644, owner: str = "root") -> None:
        self.files[path] = source.read_bytes()

    def get(self, path: str, *, limit_bytes: int = 8 * 1024 * 1024) -> bytes:
        if path not in self.files:
            raise LabError(f"{path} is not there")
        return self.files[path]

    def start(self) -> bool:
        if self._state is MachineState.RUNNING:
            return False
        self.provider.happened.append(f"start {self.name}")
        self.provider.network = ""
        self._state = MachineState.RUNNING
        return True

    def stop(self) -> None:
        self.provider.happened.append(f"stop {self.name}")
        self._state = MachineState.STOPPED

    def delete(self) -> None:
        self.provider.happened.append(f"delete {self.name}")
        self.provider.machines.pop(self.name, None)

    def halt(self) -> None:
        self.provider.happened.append(f"halt {self.name}")
        self._state = MachineState.STOPPED

    @contextmanager
    def paused(self) -> Generator[bool]:
        yield self.provider.cheap_snapshots

    def usage(self) -> Usage:
        return Usage(512, 100, 3.0)

    def snapshot(self, name: str) -> None:
        self._happens(f"snapshot {self.name} {name}")
        self.kept[name] = dict(self.files)

    def restore(self, name: str, *, keep: str = "") -> None:
        self._happens(f"restore {self.name} {name}")
        if keep:
            self.kept[keep] = self.files
        self.files = dict(self.kept[name])

    def snapshots(self) -> list[str]:
        return sorted(self.kept)

    def snapshot_bytes(self, name: str) -> int:
        return 1 << 20

    def delete_snapshot(self, name: str) -> None:
        self._happens(f"delete snapshot {self.name} {name}")
        self.kept.pop(name, None)

    def _happens(self, what: str) -> None:
        if self.provider.fail_at == what or (self.provider.full and not what.startswith("delete")):
            raise LabError("No space left on the disk")
        self.provider.happened.append(what)


@dataclass
class FakeProvider(Provider):
    """A provider whose machines are FakeMachines; `fail_after` machines it breaks, as on a full disk."""

    machines: dict[str, FakeMachine] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    fail_after: int | None = None
    fail_at: str = ""
    full: bool = False  # every copy fails
    cheap: bool = True
    addresses: dict[str, str] = field(default_factory=dict)
    network: str = ""  # what the host uses the lab's network for, until a machine is started

    @property
    def cheap_snapshots(self) -> bool:
        return self.cheap

    @property
    def name(self) -> str:
        return "local"

    def available(self) -> Availability:
        return Availability(True)

    def prepare(self) -> None:
        self.happened.append("prepare")

    def create(self, spec: MachineSpec, *, anew: bool = False, keep: str = "") -> FakeMachine:
        if self.fail_after is not None and len(self.machines) >= self.fail_after:
            raise LabError("No space left on the disk")
        if anew and spec.name in self.machines:
            old = self.machines.pop(spec.name)
            old.delete()
            if keep:
                self.machines[spec.name] = FakeMachine(spec, self, kept={**old.kept, keep: old.files})
        machine = self.machines.setdefault(spec.name, FakeMachine(spec, self))
        assert replace(spec) == machine.spec
        machine.start()
        return machine

    def crossed(self, lab: str) -> str:
        return self.network

    def leftovers(self, busy: Collection[str], *, remove: bool) -> builtins.list[str]:
        return []

    def pack(self, folder: Path) -> builtins.list[Path]:
        (folder / "image.tar").write_text("image")
        return [folder / "image.tar"]

    def unpack(self, archive: Path) -> None:
        self.happened.append(f"unpack {archive.name}")

    def sweep(self, lab: str) -> None:
        self.happened.append(f"sweep {lab}")

    def get(self, name: str) -> FakeMachine | None:
        return self.machines.get(name)

    def list(self, lab: str | None = None) -> list[Machine]:
        return [machine for machine in self.machines.values() if lab in (None, machine.spec.lab)]
