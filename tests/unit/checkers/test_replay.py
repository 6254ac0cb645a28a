"""Chapters judged again on the Evidence that `lab verify` kept of every case, from a real cluster, in tests/evidence/NN."""

from __future__ import annotations

from pathlib import Path

import pytest

from courselab.course import Catalog, Lab
from courselab.grade.checker import Checker, checker_path, load_checker
from courselab.grade.evidence import Evidence, load
from courselab.grade.run import judge_saved
from courselab.grade.verdict import Judged
from courselab.verify.cases import Case, Kind, cases_of
from courselab.verify.kept import path_of
from tests.unit.checkers.fake_cluster import no_bugs

COURSE = Path(__file__).parents[3]
KEPT = COURSE / "tests" / "evidence"
LABS = {lab.chapter: lab for lab in Catalog(COURSE).all() if (KEPT / lab.chapter).is_dir()}
CHECKERS = {chapter: load_checker(checker_path(COURSE, chapter), lab) for chapter, lab in LABS.items()}
CASES = [(chapter, case) for chapter, lab in LABS.items() for case in cases_of(lab) if path_of(KEPT / chapter, case).exists()]
NOT_PASSED = {"fail", "blocked"}


@pytest.mark.parametrize(("chapter", "case"), CASES, ids=[f"{chapter}-{case.name}" for chapter, case in CASES])
def test_a_kept_case_is_judged_as_when_it_was_seen(chapter: str, case: Case) -> None:
    lab: Lab = LABS[chapter]
    checker: Checker = CHECKERS[chapter]
    evidence = load(path_of(KEPT / chapter, case))
    with no_bugs() as folder:
        judged = {one.id: one for one in judge_saved(lab, checker, evidence, bug_folder=folder).judged}
    as_it_was(case, judged)
    nobody_s_own(evidence)


def as_it_was(case: Case, judged: dict[str, Judged]) -> None:
    verdicts = {id: one.verdict.value for id, one in judged.items()}
    if case.script is None:
        assert set(verdicts.values()) <= (NOT_PASSED if case.kind is Kind.UNTOUCHED else {"pass"}), verdicts
        return
    found = next(one for id, one in judged.items() if id.endswith(f".{case.script.task}"))
    if case.kind is Kind.RIGHT:
        assert found.passed, found
    elif case.kind is Kind.UNDO:
        assert found.verdict.value in NOT_PASSED, found
    else:
        assert found.verdict.value == case.script.verdict, found
        assert case.script.diagnosis in ("", found.diagnosis), found
        assert found.message
        assert found.expected or found.why


def nobody_s_own(evidence: Evidence) -> None:
    """What is kept is for everybody to read."""
    assert evidence.student == ""
    assert all(missing.why for missing in evidence.missing)


def test_every_chapter_s_untouched_and_solved_lab_is_kept() -> None:
    kept = {(chapter, case.kind) for chapter, case in CASES}
    assert {(chapter, kind) for chapter in LABS for kind in (Kind.UNTOUCHED, Kind.SOLVED)} <= kept
