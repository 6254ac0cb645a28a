"""`--catch-up`: chapter 03's lab with chapter 02 solved in it. It is said, graded, had again from a snapshot, and helps nobody with 03."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from courselab.course.load import load_lab
from courselab.course.scripts import read_scripts
from courselab.paths import find_paths
from tests.integration.command import COURSE, LabCommand, host_marks
from tests.integration.test_bad_days import told
from tests.integration.traces import traces

SOLVED = [{"chapter": "02", "earned": 14, "possible": 14}]
LAB_03 = COURSE / "labs" / "03-services"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabCommand]:
    before = host_marks()
    made = LabCommand(tmp_path_factory.mktemp("a home"))
    yield made
    made.ok("delete", "--all", "--yes")
    assert traces(find_paths({"LAB_HOME": str(made.home)}).machines) == {}
    assert host_marks() == before


@pytest.fixture
def other_course(tmp_path: Path) -> Path:
    """A checkout whose labs may be changed."""
    for name in ("labs", "checkers"):
        shutil.copytree(COURSE / name, tmp_path / name)
    for name in ("infra", "docs"):
        (tmp_path / name).symlink_to(COURSE / name)
    return tmp_path


def verdicts(command: LabCommand, *words: str) -> set[str]:
    report: dict[str, Any] = json.loads(command.run("check", "03", "--json", *words).stdout)
    return {check["verdict"] for check in report["checks"]}


def snapshots(command: LabCommand) -> list[str]:
    return [one["name"] for one in json.loads(command.ok("snapshots", "03", "--json").stdout)["snapshots"]]


def shops(command: LabCommand) -> list[str]:
    found = command.ok("kubectl", "get", "deployments", "--all-namespaces", "-o", "jsonpath={.items[*].metadata.name}").stdout
    return [name for name in found.split() if name in ("web", "shop", "ledger")]


def test_a_lab_that_was_not_there_is_started_and_caught_up(command: LabCommand) -> None:
    done = command.ok("start", "03", "--catch-up", "--json")
    assert json.loads(done.stdout)["caught_up"] == SOLVED
    assert "The solutions of chapter 02 were run in lab 03. None of it counts as yours." in done.stderr
    assert "chapter 02: 14 of 14 points" in done.stderr
    assert sorted(shops(command)) == ["ledger", "shop", "web"]
    assert snapshots(command) == ["caught-up"]
    rows = json.loads(command.ok("list", "--json").stdout)["chapters"]
    assert {row["earned"] for row in rows} == {0}


def test_it_helps_nobody_with_the_chapter_itself(command: LabCommand) -> None:
    assert verdicts(command, "--no-wait") <= {"fail", "blocked"}


def test_what_is_there_already_is_left_alone(command: LabCommand) -> None:
    done = command.ok("start", "03", "--catch-up", "--json")
    assert "nothing was changed" in done.stderr
    assert json.loads(done.stdout)["caught_up"] == []
    assert "--catch-up" not in command.ok("start", "03").stderr


def test_the_chapter_can_be_solved_in_it(command: LabCommand) -> None:
    for script in read_scripts(load_lab(LAB_03), "solution"):
        command.ok("shell", "--lab", "03", "server", "--", "sh", "-ec", script.text)
    assert verdicts(command) == {"pass"}


def test_a_new_lab_takes_it_from_the_snapshot(command: LabCommand) -> None:
    assert command.ok("reset", "03", "--yes").returncode == 0
    assert shops(command) == ["shop"]
    done = command.ok("reset", "03", "--catch-up", "--yes", "--json")
    assert "was put back to caught-up, in which chapter 02 is solved" in done.stderr
    assert json.loads(done.stdout)["caught_up"] == SOLVED
    assert sorted(shops(command)) == ["ledger", "shop", "web"]
    assert verdicts(command, "--no-wait") <= {"fail", "blocked"}


def test_a_solution_that_fails_is_told_and_the_lab_stays(command: LabCommand, other_course: Path) -> None:
    (other_course / "labs" / "02-workloads" / "solution" / "scale.sh").write_text("echo there are no pods today >&2\nexit 7\n")
    notes = command.home / "work" / "03" / "notes.txt"
    notes.write_text("mine")
    said = told(command.run("start", "03", "--catch-up", LAB_COURSE=str(other_course)))
    assert "stopped at task 02.scale" in said
    assert "ended with 7: there are no pods today" in said
    assert "before-catch-up" in snapshots(command)
    assert notes.read_text() == "mine"
    assert verdicts(command, "--no-wait") <= {"fail", "blocked"}


def test_a_solution_that_solves_nothing_is_told_and_not_kept(command: LabCommand, other_course: Path) -> None:
    (other_course / "labs" / "02-workloads" / "solution" / "crash.sh").write_text("echo LEDGER_NOTHING > ~/work/crash.txt\n")
    said = told(command.run("start", "03", "--catch-up", LAB_COURSE=str(other_course)))
    assert "did not solve chapter 02" in said
    assert "02.crash fail" in said
    assert snapshots(command).count("caught-up") == 1
    again = command.ok("start", "03", "--catch-up", "--json")
    assert json.loads(again.stdout)["caught_up"] == SOLVED
