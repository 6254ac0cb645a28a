"""The stand-in for `multipass` on PATH, with a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import COURSE, host_marks

STAND_IN = COURSE / "tests" / "standins"


@dataclass(frozen=True)
class World:
    """The stand-in, and where it keeps what it knows."""

    home: Path

    def multipass(self, *words: str, input: bytes | None = None, stdin: Any = subprocess.DEVNULL) -> subprocess.CompletedProcess[bytes]:
        argv = [str(STAND_IN / "multipass"), *words]
        if input is not None:
            return subprocess.run(argv, input=input, capture_output=True, timeout=300, check=False)
        return subprocess.run(argv, stdin=stdin, capture_output=True, timeout=300, check=False)

    def json(self, *words: str) -> Any:
        done = self.multipass(*words, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def order(self, fault: str, count: int = 1) -> None:
        with (self.home / "faults").open("a") as file:
            file.write(f"{fault} {count}\n")

    def calls(self) -> list[list[str]]:
        log = self.home / "calls.log"
        return [json.loads(line)["argv"] for line in log.read_text().splitlines()] if log.exists() else []

    def names(self) -> list[str]:
        return [row["name"] for row in self.json("list")["list"]]


@contextlib.contextmanager
def stand_in(home: Path, kind: str = "local") -> Generator[World]:
    """Make it the computer's `multipass`. `kind`: "local" for systemd-nspawn machines, "qemu" for virtual ones.

    At the end no machine may be left, and the host must be as it was.
    """
    found = World(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{STAND_IN}:{os.environ['PATH']}")
        patch.setenv("MULTIPASS_STANDIN_HOME", str(home))
        patch.setenv("MULTIPASS_STANDIN", kind)
        patch.setenv("LAB_CACHE", os.environ.get("LAB_CACHE", str(Path.home() / ".cache" / "k3s-course-lab")))
        patch.syspath_prepend(str(STAND_IN))
        from multipass_standin.cli import make_engine

        make_engine(home).prepare()
        before = host_marks()
        yield found
        left = found.names()
        for name in left:
            found.multipass("delete", "--purge", name)
        assert left == [], "every test removes its machines"
        assert processes_of(home) == [], "no process of a machine is left"
    assert host_marks() == before, "the host is as it was"


def processes_of(home: Path) -> list[str]:
    """Command lines that name something below `home`."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"{home}/" in line:
                found.append(line)
    return found
