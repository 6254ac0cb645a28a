"""Labs that draw a student's tasks: which they are, what they are worth, and who else sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from courselab.course import Lab, Params
from courselab.course.load import load_lab
from courselab.errors import UsageError
from courselab.grade.checker import find_functions, load_module
from courselab.grade.evidence import SCHEMA, ClusterState, Evidence, NodeState
from courselab.grade.report import Report
from courselab.grade.run import judge_saved
from courselab.machines import MachineSpec
from courselab.progress import Silent
from courselab.session.setup import set_up
from tests.unit.fakes import FakeProvider

NAMES = ("image", "names", "node", "clock", "door")
HEAD = """\
schema: 1
chapter: "16"
title: Broken
summary: Mend it.
minutes: 30
params:
  tasks: {tasks: 2}
  shop: {choice: [tea, coffee]}
tasks:
"""
TASK = """\
  - id: 16.NAME
    title: NAME
    text: Mend NAME.
    points: 2
    hints: [one, two, three]
"""


def make(folder: Path, text: str = "") -> Lab:
    tasks = "".join(TASK.replace("NAME", name) for name in NAMES)
    tasks = tasks.replace("title: clock\n", "title: clock\n    only_on: [multipass]\n")
    lab = folder / "16-broken"
    lab.mkdir(exist_ok=True)
    (lab / "lab.yaml").write_text(text or HEAD + tasks, encoding="utf-8")
    return load_lab(lab)


def test_a_student_has_so_many_tasks_and_keeps_them(tmp_path: Path) -> None:
    lab = make(tmp_path)
    drawn = {Params.draw(lab, str(seed)).tasks for seed in range(200)}
    assert len(drawn) == 6, "two of four, each pair is somebody's"
    mine = lab.mine(Params.draw(lab, "dana"))
    assert [task.name for task in mine.tasks] == Params.draw(lab, "dana").tasks.split()
    assert (len(mine.tasks), mine.possible, lab.possible) == (2, 4, 4)
    assert Params.draw(lab, "dana").environment()["LAB_TASKS"] == Params.draw(lab, "dana").tasks


def test_what_a_provider_s_machines_cannot_have_is_drawn_elsewhere_only(tmp_path: Path) -> None:
    lab = make(tmp_path)
    assert all("clock" not in Params.draw(lab, str(seed), "local").tasks for seed in range(100))
    assert any("clock" in Params.draw(lab, str(seed), "multipass").tasks for seed in range(100))


def test_a_verification_has_all_that_the_provider_can_have(tmp_path: Path) -> None:
    local, virtual = make(tmp_path).whole("local"), make(tmp_path).whole("multipass")
    assert Params.draw(local, "verify/16", "local").tasks == "image names node door"
    assert [task.name for task in virtual.tasks] == list(NAMES)
    assert virtual.mine(Params.draw(virtual, "verify/16", "multipass")).tasks == virtual.tasks


def test_a_lab_begins_with_the_drawn_tasks_undone(tmp_path: Path) -> None:
    lab = make(tmp_path)
    (lab.folder / "undo").mkdir()
    (lab.folder / "setup.sh").write_text("evening")
    for name in NAMES:
        (lab.folder / "undo" / f"{name}.sh").write_text(f"break {name}")
    machine = FakeProvider().create(MachineSpec("k3s-16-server", "server", "16"))
    set_up(lab, Params({"tasks": "image door"}), {"server": machine}, Silent())
    assert [argv[-1] for argv in machine.ran] == ["evening", "break door", "break image"]


def test_a_lab_without_drawing_is_everybodys(tmp_path: Path) -> None:
    lab = make(tmp_path, (HEAD + TASK.replace("NAME", "image")).replace("  tasks: {tasks: 2}\n", ""))
    assert lab.mine(Params.draw(lab, "dana")) is lab
    assert (lab.drawn, lab.possible) == (None, 2)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("tasks: {tasks: 2}", "mine: {tasks: 2}"), "what draws tasks is called tasks"),
        (("tasks: {tasks: 2}", "tasks: {tasks: 3}"), "3 tasks cannot be drawn"),
        (("tasks: {tasks: 2}", "tasks: {tasks: 0}"), "0 tasks cannot be drawn"),
        (("points: 2", "points: 3"), "worth the same"),
    ],
)
def test_a_drawing_that_cannot_be_is_refused(tmp_path: Path, change: tuple[str, str], why: str) -> None:
    text = HEAD + TASK.replace("NAME", "image") + TASK.replace("NAME", "door")
    with pytest.raises(UsageError) as refused:
        make(tmp_path, text.replace(*change, 1))
    assert why in refused.value.why


def checked(tmp_path: Path, params: dict[str, Any]) -> Report:
    path = tmp_path / "ch16.py"
    checks = "".join(f"@check('16.{name}')\ndef {name}(params): pass\n" for name in NAMES)
    path.write_text(f"from courselab.grade import check\n{checks}", encoding="utf-8")
    evidence = Evidence(
        schema=SCHEMA, lab="16", cluster=ClusterState(reachable=True, version="v1", kinds={}), params=params,
        nodes={"server": NodeState(reachable=True)},
    )  # fmt: skip
    return judge_saved(make(tmp_path), find_functions(path, load_module(path)), evidence).report


def test_saved_evidence_is_judged_by_the_checks_of_its_student(tmp_path: Path) -> None:
    report = checked(tmp_path, {"tasks": "names door"})
    assert [result.id for result in report.results] == ["16.names", "16.door"]
    assert report.possible == 4


@pytest.mark.parametrize(
    "params", [{}, {"tasks": ""}, {"tasks": "names"}, {"tasks": "names names"}, {"tasks": "names wall"}, {"tasks": ["names"]}]
)
def test_saved_evidence_of_fewer_tasks_is_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    """It would be "All done" with 0 of 0 points."""
    with pytest.raises(UsageError, match="does not fit the lab"):
        checked(tmp_path, params)
