"""Machines that exist only in memory, with the whole Machine interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from courselab.errors import LabError, Unreachable
from courselab.machines import Availability, Completed, Machine, MachineSpec, MachineState, Provider


@dataclass
class FakeMachine(Machine):
    """Remembers what was done to it; `answers` says what a command prints."""

    _spec: MachineSpec
    provider: FakeProvider
    _state: MachineState = MachineState.STOPPED
    files: dict[str, bytes] = field(default_factory=dict)
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
        return "192.0.2.11"

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

    def start(self) -> None:
        self.provider.happened.append(f"start {self.name}")
        self._state = MachineState.RUNNING

    def stop(self) -> None:
        self.provider.happened.append(f"stop {self.name}")
        self._state = MachineState.STOPPED

    def delete(self) -> None:
        self.provider.happened.append(f"delete {self.name}")
        self.provider.machines.pop(self.name, None)

    def snapshot(self, name: str) -> None:
        self.provider.happened.append(f"snapshot {self.name} {name}")

    def restore(self, name: str) -> None:
        self.provider.happened.append(f"restore {self.name} {name}")

    def snapshots(self) -> list[str]:
        return []

    def delete_snapshot(self, name: str) -> None:
        pass


@dataclass
class FakeProvider(Provider):
    """A provider whose machines are FakeMachines; `fail_after` machines it breaks, as on a full disk."""

    machines: dict[str, FakeMachine] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    fail_after: int | None = None

    @property
    def name(self) -> str:
        return "local"

    def available(self) -> Availability:
        return Availability(True)

    def prepare(self) -> None:
        self.happened.append("prepare")

    def create(self, spec: MachineSpec) -> FakeMachine:
        if self.fail_after is not None and len(self.machines) >= self.fail_after:
            raise LabError("No space left on the disk")
        machine = self.machines.setdefault(spec.name, FakeMachine(spec, self))
        assert replace(spec) == machine.spec
        machine.start()
        return machine

    def get(self, name: str) -> FakeMachine | None:
        return self.machines.get(name)

    def list(self, lab: str | None = None) -> list[Machine]:
        return [machine for machine in self.machines.values() if lab in (None, machine.spec.lab)]
