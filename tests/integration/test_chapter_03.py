"""Chapter 03 on a real cluster with Traefik and ServiceLB: nothing passes untouched, the solutions pass, a restart changes nothing."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from courselab.course import Catalog
from courselab.course.scripts import read_scripts
from tests.integration.command import COURSE, LabCommand
from tests.integration.traces import traces

CHAPTER = "03"
LAB = Catalog(COURSE).find(CHAPTER)


@pytest.fixture
def lab(tmp_path: Path) -> Generator[LabCommand]:
    command = LabCommand(tmp_path)
    try:
        command.ok("start", CHAPTER)
        yield command
    finally:
        command.ok("delete", "--all", "--yes")
    assert traces(command.home / "state" / "machines") == {}


def verdicts(lab: LabCommand, *words: str) -> dict[str, str]:
    report = json.loads(lab.run("check", CHAPTER, "--json", *words).stdout)
    return {check["id"]: check["verdict"] for check in report["checks"]}


def test_the_journey(lab: LabCommand) -> None:
    assert "pass" not in verdicts(lab, "--no-wait").values()
    for script in read_scripts(LAB, "solution"):
        user = ["--root"] if script.user == "root" else []
        lab.ok("shell", *user, "--lab", CHAPTER, script.on, "--", "sh", "-elc", script.text)
    assert set(verdicts(lab).values()) == {"pass"}
    lab.ok("stop", CHAPTER)
    assert lab.run("check", CHAPTER).returncode == 3
    lab.ok("resume", CHAPTER)
    assert set(verdicts(lab).values()) == {"pass"}, "stop and resume change nothing"
