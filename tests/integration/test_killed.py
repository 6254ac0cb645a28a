"""`lab` killed at any moment: the next `lab start` finishes what was begun, or `lab delete` removes it, and nothing is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from courselab.paths import find_paths
from tests.integration.command import COURSE, LabCommand, host_marks
from tests.integration.conftest import FULL, SEED
from tests.integration.traces import traces

MOMENTS = 20 if FULL else 6
# Verb → how long it takes at most; it is killed somewhere in between.
VERBS = {"start": 7.0, "reset": 7.0, "check": 0.8, "stop": 1.2, "resume": 5.0, "delete": 1.0}


def moments() -> list[tuple[str, float, str]]:
    """(verb, seconds until it is killed, what is done then), the same for the same seed."""
    draw = random.Random(SEED)
    verbs = list(VERBS)
    draw.shuffle(verbs)
    each = (verbs * 4)[:MOMENTS]
    return [(verb, round(draw.uniform(0, VERBS[verb]), 2), draw.choice(("start", "delete"))) for verb in each]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabCommand]:
    made = LabCommand(tmp_path_factory.mktemp("a home"))
    yield made
    made.run("delete", "--all", "--yes")


def bring_to(command: LabCommand, verb: str) -> None:
    """Make the lab what `verb` is typed for."""
    if verb == "start":
        command.ok("delete", "02", "--yes")
        return
    command.ok("start", "02")
    if verb == "resume":
        command.ok("stop", "02")


def kill_after(command: LabCommand, verb: str, seconds: float) -> None:
    """Type the verb and kill `lab` with SIGKILL after so many seconds."""
    running = subprocess.Popen(
        [str(COURSE / "lab"), verb, "02", *(["--yes"] if verb in {"reset", "delete"} else [])],
        env=command.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(running.pid, signal.SIGKILL)
        running.wait(10)


@pytest.mark.parametrize(("verb", "seconds", "then"), moments())
def test_what_was_begun_is_finished_or_removed(command: LabCommand, verb: str, seconds: float, then: str) -> None:
    before = host_marks()
    bring_to(command, verb)
    mine = command.home / "work" / "02" / "mine.txt"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("my notes")
    kill_after(command, verb, seconds)
    if then == "start":
        command.ok("start", "02")
        report = json.loads(command.run("check", "02", "--no-wait", "--json").stdout)
        assert {check["verdict"] for check in report["checks"]} <= {"fail", "blocked"}
    else:
        command.ok("delete", "02", "--yes")
        assert traces(machines_of(command)) == {}
        assert [path for path in machines_of(command).glob("[!.]*") if path.is_dir()] == []
        assert host_marks() == before
    assert mine.read_text() == "my notes"


def machines_of(command: LabCommand) -> Path:
    return find_paths({"LAB_HOME": str(command.home)}).machines
