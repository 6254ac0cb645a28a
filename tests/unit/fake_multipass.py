"""A `multipass` in memory, for the driver's unit tests: keeps machines' states, notes every call, fails when told to."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from courselab.machines.base import MachineSpec
from courselab.machines.multipass.command import Command
from courselab.machines.multipass.host import Host
from courselab.machines.multipass.launch import Waiting
from courselab.machines.multipass.provider import MultipassProvider
from courselab.machines.multipass.system import System
from courselab.process import CommandTimeout, Completed
from courselab.progress import Silent

RECIPE = Path(__file__).parents[2] / "infra" / "multipass"
Call = tuple[str, ...]
Answer = Callable[[Call, bytes], Completed | None]


def done(code: int = 0, out: str = "", err: str = "") -> Completed:
    return Completed(("multipass",), code, out.encode(), err.encode())


def hangs(words: Call, _: bytes) -> Completed:
    raise CommandTimeout(f"`multipass {words[0]}` did not end", why="It was stopped.", fix="Again.")


@dataclass
class FakeMultipass:
    """Runs `multipass …` in memory. `on[verb]` may hold answers that are used up first; None there means the usual one."""

    states: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    inputs: list[bytes] = field(default_factory=list)
    on: dict[str, list[Answer]] = field(default_factory=dict)
    address: str = "10.38.112.21"
    system: str = "running"  # what the machine's systemd says of itself
    inside: Answer = lambda words, data: done(err="\ncourselab-ended 0\n")

    def __call__(self, argv: Sequence[str], *, timeout_s: float, input: bytes | Path | None, output_limit: int) -> Completed:
        assert argv[0] == "multipass" and timeout_s > 0 and output_limit > 0
        words = tuple(argv[1:])
        data = input.read_bytes() if isinstance(input, Path) else input or b""
        self.calls.append(words)
        self.inputs.append(data)
        waiting = self.on.get(words[0])
        special = waiting.pop(0)(words, data) if waiting else None
        return special or self._usual(words, data)

    def verbs(self) -> list[str]:
        return [words[0] for words in self.calls]

    def _usual(self, words: Call, data: bytes) -> Completed:
        verb = words[0]
        if verb == "version":
            return done(out='{"multipass":"1.16.3","multipassd":"1.16.3"}')
        if verb == "list" and "--snapshots" in words:
            return done(out='{"errors":[],"info":{}}')
        if verb == "list":
            rows = [
                {"name": name, "state": state, "ipv4": [self.address] if "--no-ipv4" not in words else [], "release": "Ubuntu 24.04 LTS"}
                for name, state in self.states.items()
            ]
            return done(out=json.dumps({"list": rows}))
        if verb == "info":
            return done(out=json.dumps({"errors": [], "info": {words[1]: {"state": "Running", "ipv4": [self.address, "10.42.0.1"]}}}))
        if verb == "launch":
            self.states[words[words.index("--name") + 1]] = "Running"
        elif verb == "start":
            self.states[words[1]], self.system = "Running", "running"
        elif verb == "stop":
            self.states[words[-1]] = "Stopped"
        elif verb == "delete" and "." not in words[1]:
            if self.states.pop(words[-1], None) is None:
                return done(2, err=f'delete failed: The following errors occurred:\ninstance "{words[-1]}" does not exist\n')
        elif verb == "exec" and words[-1] == "is-system-running":
            return done(out=f"{self.system}\n", err="\ncourselab-ended 0\n")
        elif verb == "exec":
            return self.inside(words, data) or done()
        return done(out="\x1b[2K\x1b[0A\x1b[0ECreating  \b/\b-\n")


def provider(tmp_path: Path, fake: FakeMultipass, system: System | None = None) -> MultipassProvider:
    """The provider on top of the fake; waiting takes no time."""
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    waiting = Waiting(pause=pause, clock=lambda: now[0])
    command = Command(system or System("linux"), fake)
    return MultipassProvider(
        Host.of(command, waiting, state=tmp_path / "state", cache=tmp_path / "cache", recipe=RECIPE, progress=Silent())
    )


def spec(name: str = "k3s-02-server", **more: object) -> MachineSpec:
    return MachineSpec(**{"name": name, "hostname": "server", "lab": "02", **more})  # type: ignore[arg-type]


def real_shell(folder: Path) -> Answer:
    """What `exec` runs, run by a shell of this computer: who should run it, and with what environment, is left out."""
    (folder / "sudo").write_text(
        '#!/bin/sh\nwhile [ "$1" != env ]; do shift; done\nshift 4\nwhile [ "${1%%=*}" != "$1" ]; do shift; done\nexec "$@"\n'
    )
    (folder / "sudo").chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def inside(words: Call, data: bytes) -> Completed:
        argv = words[words.index("--") + 1 :]
        ran = subprocess.run(argv, input=data, capture_output=True, env=env, timeout=20, check=False)
        return Completed(words, ran.returncode, ran.stdout, ran.stderr)

    return inside
