"""`lab check --watch` on a real lab: it sees work done and undone, survives a restart of K3s, and ends when the lab is stopped or deleted."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest

from courselab.course import Catalog
from courselab.course.scripts import read_scripts
from tests.integration.command import COURSE, LabCommand

CHAPTER = "02"
PATIENCE_S = 120


class Watching:
    """`lab check --watch --json` beside the test."""

    def __init__(self, lab: LabCommand) -> None:
        self._process = subprocess.Popen(
            [str(COURSE / "lab"), "check", CHAPTER, "--watch", "--json"],
            env=lab.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)

    def until(self, found: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The verdicts once they are like this."""
        seen: list[Any] = []
        while True:
            try:
                report = json.loads(self._lines.get(timeout=PATIENCE_S))
            except queue.Empty:
                pytest.fail(f"it does not come; seen: {seen}")
            verdicts = {check["id"]: check["verdict"] for check in report["checks"]}
            seen.append(verdicts)
            if found(verdicts):
                return verdicts

    def ended(self) -> tuple[int, str]:
        """The exit code and what was said, once it has ended by itself."""
        _, said = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, said

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabCommand]:
    command = LabCommand(tmp_path_factory.mktemp("home"))
    try:
        command.ok("start", CHAPTER)
        yield command
    finally:
        command.ok("delete", "--all", "--yes")


@pytest.fixture
def watching(lab: LabCommand) -> Generator[Watching]:
    found = Watching(lab)
    yield found
    found.kill()


def do(lab: LabCommand, kind: str, task: str) -> None:
    script = next(one for one in read_scripts(Catalog(COURSE).find(CHAPTER), kind) if one.task.endswith(task))
    lab.ok("shell", "--lab", CHAPTER, script.on, "--", "sh", "-elc", script.text)


def test_work_is_seen_a_restart_survived_and_the_end_noticed(lab: LabCommand, watching: Watching) -> None:
    assert watching.until(lambda verdicts: True)["02.deploy"] == "fail"
    do(lab, "solution", "deploy")
    assert watching.until(lambda verdicts: verdicts["02.deploy"] == "pass")["02.scale"] != "pass"
    do(lab, "solution", "scale")
    watching.until(lambda verdicts: verdicts["02.scale"] == "pass")
    do(lab, "solution", "crash")  # a file on the machine
    watching.until(lambda verdicts: verdicts["02.crash"] == "pass")

    lab.ok("shell", "--root", "--lab", CHAPTER, "server", "--", "systemctl", "stop", "k3s")
    watching.until(lambda verdicts: verdicts["02.deploy"] == "fail")
    lab.ok("shell", "--root", "--lab", CHAPTER, "server", "--", "systemctl", "restart", "k3s")
    watching.until(lambda verdicts: verdicts["02.deploy"] == verdicts["02.scale"] == "pass")
    do(lab, "undo", "scale")
    watching.until(lambda verdicts: verdicts["02.deploy"] == "pass" and verdicts["02.scale"] == "fail")

    lab.ok("stop", CHAPTER)
    assert watching.ended() == (3, "The watch has ended: Lab 02 was stopped.\n")
    tasks = {task["id"]: task for task in json.loads(lab.ok("progress", CHAPTER, "--json").stdout)["chapters"][0]["tasks"]}
    assert tasks["02.scale"]["solved_at"], "what passed in a watch counts"


def test_a_lab_that_does_not_run_cannot_be_watched_and_a_deleted_one_ends_the_watch(lab: LabCommand) -> None:
    assert lab.run("check", CHAPTER, "--watch").returncode == 3
    lab.ok("resume", CHAPTER)
    watching = Watching(lab)
    try:
        watching.until(lambda verdicts: True)
        lab.ok("delete", CHAPTER, "--yes")
        code, said = watching.ended()
        assert code == 3
        assert "Lab 02" in said
    finally:
        watching.kill()
