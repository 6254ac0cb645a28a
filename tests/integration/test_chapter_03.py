"""Chapter 03 on a real cluster: Services, ServiceLB and Traefik, as a learner meets them."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from courselab.course import Catalog
from courselab.course.scripts import Script, read_scripts
from courselab.grade.checker import load_checker
from tests.integration.chapter import Chapter
from tests.integration.command import COURSE, LabCommand

LAB = Catalog(COURSE).find("03")
TASKS = {task.id for task in LAB.tasks}
NEEDS = {check.mark.id: set(check.mark.needs) for check in load_checker(COURSE / "checkers" / "ch03.py", LAB).checks}


@pytest.fixture(scope="module")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Generator[Chapter]:
    """Chapter 03 started once for this module."""
    command = LabCommand(tmp_path_factory.mktemp("a home"))
    try:
        command.ok("start", "03")
        yield Chapter(command, "03")
    finally:
        command.ok("delete", "--all", "--yes")


def test_the_journey(chapter: Chapter) -> None:
    assert chapter.passed("--no-wait") == set()
    chapter.solve()
    assert chapter.passed() == TASKS
    chapter.command.ok("shell", "--root", "server", "--", "systemctl", "restart", "k3s")
    assert chapter.passed() == TASKS, "a restart of K3s changes nothing"


@pytest.mark.parametrize("task", [task.name for task in LAB.tasks])
def test_undoing_a_task_takes_it_and_what_needs_it_back(chapter: Chapter, task: str) -> None:
    chapter.solve()
    assert chapter.passed() == TASKS
    chapter.undo(task)
    lost = TASKS - chapter.passed("--no-wait")
    needing = {f"03.{task}"}
    while more := {id for id, needs in NEEDS.items() if needs & needing} - needing:
        needing |= more
    assert f"03.{task}" in lost
    assert lost <= needing


@pytest.mark.parametrize("mistake", read_scripts(LAB, "mistakes"), ids=lambda script: f"{script.task}.{script.slug}")
def test_a_typical_mistake_is_recognised(chapter: Chapter, mistake: Script) -> None:
    chapter.solve()
    chapter.run(mistake)
    check = chapter.check()[f"03.{mistake.task}"]
    assert (check["verdict"], check["diagnosis"]) == (mistake.verdict, mistake.diagnosis), check
    chapter.undo(mistake.task)
