"""The `multipass` command: every call has a deadline, answers are read from JSON only, and what fails becomes an error with a remedy.

What it prints while it works (launch, start, stop …) holds a spinner and is never looked at.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from courselab import process
from courselab.errors import LabError
from courselab.machines.base import MachineSpec, Usage
from courselab.machines.multipass import answers
from courselab.machines.multipass.answers import Garbled, Seen, Version
from courselab.machines.multipass.failures import MultipassError, MultipassUnreachable, explain
from courselab.machines.multipass.system import System
from courselab.process import OUTPUT_LIMIT_BYTES, CommandMissing, CommandTimeout, Completed

_T = TypeVar("_T")
_READ_S = 30.0
_JSON = ("--format", "json")


class Runner(Protocol):
    """Runs a program; `courselab.process.run`, or a test's own."""

    def __call__(self, argv: Sequence[str], *, timeout_s: float, input: bytes | Path | None, output_limit: int) -> Completed: ...


@dataclass(frozen=True)
class Command:
    """`multipass`, on the computer that `system` describes."""

    system: System
    runner: Runner = process.run

    def call(self, *words: str, timeout_s: float, input: bytes | Path | None = None, output_limit: int = OUTPUT_LIMIT_BYTES) -> Completed:
        """Run `multipass WORDS` and return what it left, whatever its exit code.

        Raises MultipassError if it is not installed, MultipassUnreachable at the deadline (kind "deadline").
        """
        try:
            return self.runner(["multipass", *words], timeout_s=timeout_s, input=input, output_limit=output_limit)
        except CommandMissing as missing:
            raise MultipassError("Multipass is not installed", why="There is no command `multipass`.", fix=self.system.install) from missing
        except CommandTimeout as late:
            error = MultipassUnreachable(
                "Multipass does not answer",
                why=f"`multipass {words[0]}` did not end within {timeout_s:g} s; its service may be stuck.",
                fix=f"{self.system.restart}; then run the command again.",
                detail=late.detail,
            )
            error.kind = "deadline"
            raise error from late

    def do(self, *words: str, what: str, name: str, timeout_s: float, input: bytes | Path | None = None) -> Completed:
        """Like call, for a command that must succeed. `what` is the sentence for the case that it does not, `name` the machine."""
        done = self.call(*words, timeout_s=timeout_s, input=input)
        if done.code != 0:
            raise explain(done, what, name, self.system)
        return done

    def launch(self, spec: MachineSpec, image: str, user_data: bytes, *, timeout_s: int) -> Completed:
        """Launch a machine; the client gives up after `timeout_s` seconds, the daemon may go on. Any exit code."""
        words = ["launch", image, "--name", spec.name, "--cpus", str(spec.cpus), "--memory", f"{spec.memory_mib}M"]
        words += ["--disk", f"{spec.disk_gib}G", "--timeout", str(timeout_s), "--cloud-init"]
        if self.system.pipes:
            return self.call(*words, "-", timeout_s=timeout_s + _READ_S, input=user_data)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "user-data.yaml"
            path.write_bytes(user_data)
            return self.call(*words, self.system.path(path), timeout_s=timeout_s + _READ_S)

    def version(self) -> Version:
        """Which Multipass it is; the daemon's version is empty when it cannot be reached."""
        return self._read(answers.version, "version", *_JSON)

    def list(self) -> dict[str, Seen]:
        """All virtual machines and their states. The hidden option keeps Multipass from asking each machine for its addresses."""
        return self._read(answers.listed, "list", *_JSON, "--no-ipv4")

    def address(self, name: str) -> str:
        """A running machine's own address; "" when it has none that can be used (yet)."""
        try:
            return self._read(lambda text: answers.address_in_info(text, name), "info", name, *_JSON)
        except LabError as error:
            if getattr(error, "kind", "") in ("deadline", "daemon", "gone"):
                raise
            # `info` fails as a whole when ssh does (multipass #4527)
            return self._read(lambda text: answers.address_in_list(text, name), "list", *_JSON)

    def snapshots(self, name: str) -> Sequence[str]:
        """The names of a machine's snapshots."""
        return self._read(lambda text: answers.snapshots(text, name), "list", "--snapshots", *_JSON)

    def usage(self, name: str) -> Usage:
        """What a machine takes of this computer, as Multipass says it."""
        return self._read(lambda text: answers.usage(text, name), "info", name, *_JSON)

    def _read(self, parse: Callable[[bytes], _T], *words: str) -> _T:
        """A question asked once more when the answer is garbled, as one is that was cut short."""
        what = "Multipass cannot say what machines there are" if words[0] != "version" else "Multipass cannot be used"
        try:
            return parse(self.do(*words, what=what, name="", timeout_s=_READ_S).stdout)
        except Garbled:
            return parse(self.do(*words, what=what, name="", timeout_s=_READ_S).stdout)
