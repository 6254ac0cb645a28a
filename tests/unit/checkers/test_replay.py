"""Chapters judged again on Evidence kept from a real cluster: untouched, solved, and every typical mistake.

tests/evidence/NN/untouched.json.gz, solved.json.gz and TASK.SLUG.json.gz for each file of labs/NN-…/mistakes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from courselab.course import Catalog, Lab
from courselab.course.scripts import Script, read_scripts
from courselab.grade.checker import Checker, checker_path, load_checker
from courselab.grade.evidence import Evidence, load
from courselab.grade.run import judge_saved
from courselab.grade.verdict import Judged, VerdictName

COURSE = Path(__file__).parents[3]
KEPT = COURSE / "tests" / "evidence"
LABS = {lab.chapter: lab for lab in Catalog(COURSE).all() if (KEPT / lab.chapter).is_dir()}
CHECKERS = {chapter: load_checker(checker_path(COURSE, chapter), lab) for chapter, lab in LABS.items()}
MISTAKES = [(chapter, script) for chapter, lab in LABS.items() for script in read_scripts(lab, "mistakes")]


def kept(chapter: str, name: str) -> Evidence:
    return load(KEPT / chapter / f"{name}.json.gz")


def judged(chapter: str, name: str) -> dict[str, Judged]:
    lab: Lab = LABS[chapter]
    checker: Checker = CHECKERS[chapter]
    return {one.id: one for one in judge_saved(lab, checker, kept(chapter, name)).judged}


@pytest.mark.parametrize("chapter", LABS)
def test_an_untouched_lab_passes_nothing(chapter: str) -> None:
    assert {one.verdict for one in judged(chapter, "untouched").values()} <= {VerdictName.FAIL, VerdictName.BLOCKED}


@pytest.mark.parametrize("chapter", LABS)
def test_a_solved_lab_passes_everything(chapter: str) -> None:
    assert [one for one in judged(chapter, "solved").values() if not one.passed] == []


@pytest.mark.parametrize(("chapter", "script"), MISTAKES, ids=[f"{chapter}-{script.path.stem}" for chapter, script in MISTAKES])
def test_a_mistake_is_recognised_and_explained(chapter: str, script: Script) -> None:
    found = judged(chapter, script.path.stem)[f"{chapter}.{script.task}"]
    assert found.verdict.value == script.verdict, found
    assert script.diagnosis in ("", found.diagnosis), found
    assert found.message
    assert found.expected or found.why


@pytest.mark.parametrize("chapter", LABS)
def test_what_is_kept_is_no_secret_and_no_one_s_own(chapter: str) -> None:
    for path in (KEPT / chapter).glob("*.json.gz"):
        evidence = load(path)
        assert evidence.student == "", path
        assert all(missing.why for missing in evidence.missing), path
