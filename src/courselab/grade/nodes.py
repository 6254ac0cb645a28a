"""`nodes` and `probes`, as a check sees them: what machines said about themselves, and what experiments showed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from courselab.grade.authors import CheckerMistake, Failure
from courselab.grade.evidence import FileState, K3sState, NodeState, PortState, ProbeResult, UnitState
from courselab.grade.plain_yaml import NotYaml, read_yaml
from courselab.grade.record import NotCollected, Record
from courselab.grade.redacted import describe, is_redacted
from courselab.grade.world import World

_UNIT_PROGRAMS = frozenset({"/usr/bin/systemctl", "/usr/bin/journalctl"})


class ProbeNotRun(Exception):
    """A check reads an experiment that was not made in this run; `why` says what it waits for."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name = name
        self.why = why


class ProbeBroken(Exception):
    """The code of an experiment raised something of its own: our mistake."""


class Nodes(Mapping[str, "Node"]):
    """The lab's machines by name, as lab.yaml has them."""

    def __init__(self, world: World, record: Record) -> None:
        self._states = world.evidence.nodes
        self._record = record

    def __getitem__(self, name: str) -> Node:
        if name not in self._states:
            raise CheckerMistake(f"no machine is called {name!r}: lab.yaml has {', '.join(self._states) or 'none'}")
        return Node(name, self._states[name], self._record)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)


class Node:
    """One machine. Reading from one that did not answer makes the check an `error`, except through `reachable`."""

    def __init__(self, name: str, state: NodeState, record: Record) -> None:
        self.name = name
        self._state = state
        self._record = record

    @property
    def reachable(self) -> bool:
        """Whether the machine answered."""
        return self._state.reachable

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return self._answered().address

    @property
    def hostname(self) -> str:
        """What it calls itself."""
        return self._answered().hostname

    @property
    def time(self) -> float:
        """Its clock when it was asked, Unix seconds: compare with `since` and `modified`."""
        return self._answered().time

    @property
    def k3s(self) -> K3sState:
        """K3s as installed there: .installed .version .config"""
        return self._answered().k3s

    @property
    def ports(self) -> list[PortState]:
        """Every listening port."""
        return self._answered().ports

    @property
    def problems(self) -> list[str]:
        """What could not be had from the machine."""
        return self._answered().problems

    def unit(self, name: str) -> UnitState:
        """A systemd unit: `unit("k3s").active == "active"`."""
        name = name.removesuffix(".service")
        self._record.units.append((self.name, name))
        state = self._answered(_UNIT_PROGRAMS)
        if name not in state.units and (why := next((one for one in state.problems if one.startswith("systemctl ")), "")):
            raise NotCollected(f"On machine {self.name}, {why}")  # a machine that is busy, not a unit that lab.yaml forgot
        return self._declared(state.units, name, "units")

    def file(self, path: str) -> File:
        """A file; `exists` is False if there is none."""
        state = self._answered()
        found = state.files.get(path) or state.k3s.config_files.get(path)
        return File(path, found or self._declared(state.files, path, "files"))

    def port(self, number: int, protocol: str = "tcp") -> Port:
        """A port: is something listening on it, and on which addresses?"""
        found = [port for port in self._answered().ports if port.port == int(number) and port.protocol == protocol]
        return Port(int(number), bool(found), ", ".join(port.address for port in found))

    def sysctl(self, name: str) -> str | None:
        """A kernel setting's value; None if the kernel has no such setting."""
        return self._declared(self._answered().sysctls, name, "sysctls")

    def fact(self, name: str) -> Any:
        """What the @fact function of this name returned."""
        facts = self._answered().facts
        if name not in facts:
            why = next((problem for problem in self._state.problems if problem.startswith(f"fact {name}: ")), "")
            if why:
                raise NotCollected(f"On machine {self.name}, {why}")
            raise CheckerMistake(f'there is no fact {name!r} of machine {self.name}: write @fact("{name}", on="{self.name}")')
        return facts[name]

    def settling(self, what: str) -> None:
        """Say what is on its way on the machine, as a sentence: "K3s has not looked at the file yet". Call it first of all.

        If the check then fails, it waits, as for an object that is settling. Only for what Evidence shows to end by itself and soon.
        """
        self._answered()
        self._record.settling.append(what)

    def _answered(self, programs: frozenset[str] = frozenset()) -> NodeState:
        """The machine's answer, given with the system's own means; `programs`: what else of them this part of it rests on."""
        if not self._state.reachable:
            raise NotCollected(f"Machine {self.name} does not answer: {self._state.why}")
        for path, why in self._state.untrusted.items():
            if path in programs or path not in _UNIT_PROGRAMS:
                raise NotCollected(f"What machine {self.name} says cannot be relied on: {path} {why}. Put the system's own back.")
        return self._state

    def _declared(self, found: Mapping[str, Any], name: str, what: str) -> Any:
        if name not in found:
            fix = f"add it to lab.yaml, collect: {self.name}: {what}: [{name}]"
            raise CheckerMistake(f"{name!r} is not collected on machine {self.name}: {fix}")
        return found[name]


@dataclass(frozen=True)
class Port:
    """A port of a machine."""

    number: int
    listening: bool
    address: str  # where it listens: "0.0.0.0"


class File:
    """A file of a machine. Its text is at most 64 KiB; `cut` says if there is more."""

    def __init__(self, path: str, state: FileState) -> None:
        self.path = path
        self.state = state
        self.exists = state.exists
        self.kind = state.kind
        self.mode = state.mode
        self.owner = state.owner
        self.group = state.group
        self.size = state.size
        self.modified = state.modified
        self.target = state.target
        self.names = state.names
        self.cut = state.cut

    @property
    def content(self) -> Any:
        """The content for `expect`: text, or the place holder of a secret."""
        return self.state.text

    @property
    def text(self) -> str:
        """The content as text. The check fails if there is no file. Of a secret file only a description."""
        if not self.state.exists:
            raise Failure(f"There is no file {self.path}", expected=self.path, actual="no such file", next=f"ls -l {self.path}")
        if self.state.text is None:
            why = self.state.problem or f"it is a {self.state.kind}"
            raise Failure(f"{self.path} cannot be read as text: {why}", expected="a text file", actual=why)
        return describe(self.state.text) if is_redacted(self.state.text) else str(self.state.text)

    def lines(self) -> list[str]:
        """The lines that are not empty, without white space around them."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]

    def yaml(self) -> Any:
        """The content as YAML. The check fails, with the line, if it is none."""
        try:
            return read_yaml(self.text)
        except NotYaml as broken:
            line = f" line {broken.line}" if broken.line else ""
            raise Failure(f"{self.path}{line} is not valid YAML", expected="YAML", actual=str(broken)) from broken

    def json(self) -> Any:
        """The content as JSON. The check fails if it is none."""
        try:
            return json.loads(self.text)
        except ValueError as broken:
            raise Failure(f"{self.path} is not valid JSON", expected="JSON", actual=str(broken)) from broken


class Probes(Mapping[str, Any]):
    """What experiments showed, by the probe's name."""

    def __init__(self, world: World, record: Record, declared: tuple[str, ...] | None, pending: Mapping[str, str]) -> None:
        self._results = world.evidence.probes
        self._record = record
        self._declared = declared
        self._pending = pending  # probes that did not run, and why

    def __getitem__(self, name: str) -> Any:
        if self._declared is not None and name not in self._declared:
            raise CheckerMistake(f'the check reads probe {name} without saying so: add it to probes=["{name}"]')
        self._record.probes.add(name)
        if name not in self._results:
            raise ProbeNotRun(name, self._pending.get(name, f"experiment {name} was not made"))
        return outcome(name, self._results[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


def outcome(name: str, probe: ProbeResult) -> Any:
    """A probe's result. Raises what it found not to be right, NotCollected if it could not be made, ProbeBroken if our code broke."""
    if probe.ours:
        raise ProbeBroken(f"experiment {name}: {probe.error}")
    if probe.error:
        raise NotCollected(f"The experiment {name} could not be made: {probe.error}")
    if probe.failure is not None:
        say = {key: str(value) for key, value in probe.failure.items()}
        raise Failure(
            say.get("message", ""), expected=say.get("expected", ""), actual=say.get("actual", ""), path=say.get("path", ""),
            next=say.get("next", "")
        )  # fmt: skip
    return probe.result
