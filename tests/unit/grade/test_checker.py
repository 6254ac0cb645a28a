"""Loading a checker file, and what is said about one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from courselab.grade.authors import CheckerMistake, diagnose, probe
from courselab.grade.checker import CheckerBroken, load_checker
from tests.unit.grade.builders import lab, task

GOOD = """
from courselab.grade import check, diagnose, fact, probe

@check("02.deploy", reads=["Deployment"])
def deploy(cluster): ...

@check("02.heal", needs=["02.deploy"], probes=["02.replacement"])
def heal(probes): ...

@probe("02.replacement", effect="disturb", needs=["02.deploy"], objects=["Deployment/{namespace}/web"])
def replacement(lab): ...

@fact("sans", on="server")
def sans(host): ...

@diagnose("02.deploy", "image-typo")
@diagnose("02.heal", "image-typo")
def typo(cluster): ...
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "ch02.py"
    path.write_text(text)
    return path


def test_everything_that_is_marked_is_found_in_order(tmp_path: Path) -> None:
    found = load_checker(write(tmp_path, GOOD), lab(task("02.deploy"), task("02.heal")))
    assert [one.mark.id for one in found.checks] == ["02.deploy", "02.heal"]
    assert [one.mark.name for one in found.probes] == ["02.replacement"]
    assert [one.mark.on for one in found.facts] == [("server",)]
    assert [one.mark.check for one in found.diagnoses] == ["02.deploy", "02.heal"]
    assert found.reads() == {"Deployment"}


def test_only_some_checks_bring_what_they_need(tmp_path: Path) -> None:
    found = load_checker(write(tmp_path, GOOD))
    assert [one.mark.id for one in found.only({"02.heal"}).checks] == ["02.deploy", "02.heal"]
    assert found.only({"02.deploy"}).probes == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("def heal(probes): ...", "def heal(probes: ...", "ch02.py:8 is not valid Python"),
        ("def heal(probes): ...", "def heal(probes): ...\n\nx = 1 / 0", "ch02.py:10 cannot be loaded"),
        (
            'needs=["02.deploy"], probes',
            'needs=["02.deply"], probes',
            "check 02.heal needs 02.deply, which is no check. Did you mean 02.deploy?",
        ),
        ('probes=["02.replacement"]', 'probes=["02.replace"]', "reads probe 02.replace, which is not there. Did you mean 02.replacement?"),
        ('@diagnose("02.deploy", "image-typo")', '@diagnose("02.depl", "image-typo")', "diagnosis image-typo is of 02.depl"),
        ('reads=["Deployment"]', 'needs=["02.heal"]', "need each other in a circle"),
        ('@check("02.heal"', '@check("02.deploy"', "02.deploy is there twice"),
        ("from courselab.grade import check,", "from courselab.grade import chekc,", "ch02.py:2 cannot be loaded"),
        ('@check("02.heal"', '@check("heal"', "a check's id is chapter.task"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(CheckerBroken) as caught:
        load_checker(write(tmp_path, GOOD.replace(old, new)))
    assert says in f"{caught.value.what}: {caught.value.why}"


def test_tasks_and_checks_belong_together(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(CheckerBroken) as caught:
        load_checker(path, lab(task("02.deploy"), task("02.heal"), task("02.more")))
    assert caught.value.why == "task 02.more of lab.yaml has no check."
    with pytest.raises(CheckerBroken) as caught:
        load_checker(path, lab(task("02.deploy"), task("02.hael")))
    assert caught.value.why == "check 02.heal has no task in lab.yaml. Did you mean 02.hael?"


def test_one_name_may_stand_without_a_list(tmp_path: Path) -> None:
    """As a list of its letters it would be a check that may read nothing."""
    alone = GOOD
    for names in ('["Deployment"]', '["02.deploy"]', '["02.replacement"]', '["Deployment/{namespace}/web"]'):
        alone = alone.replace(names, names.strip("[]"))
    for listed, found in zip(load_checker(write(tmp_path, GOOD)).checks, load_checker(write(tmp_path, alone)).checks, strict=True):
        assert found.mark == listed.mark
    assert load_checker(write(tmp_path, alone)).probes[0].mark == load_checker(write(tmp_path, GOOD)).probes[0].mark


def test_a_chapter_without_a_checker(tmp_path: Path) -> None:
    with pytest.raises(CheckerBroken, match=r"There is no checker .*ch09.py"):
        load_checker(tmp_path / "ch09.py")


def test_marks_refuse_what_cannot_be_meant() -> None:
    with pytest.raises(CheckerMistake, match="disturbs: name the objects"):
        probe("02.kill", effect="disturb")
    with pytest.raises(CheckerMistake, match='effect is "observe" or "disturb"'):
        probe("02.kill", effect="destroy")  # type: ignore[arg-type]
    with pytest.raises(CheckerMistake, match="named in lower case"):
        diagnose("02.deploy", "Image Typo")
