"""Tables of right and of wrong answers, and what must be true of each: the same for every chapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pytest

from courselab.grade.verdict import Judged


class Judging(Protocol):
    """A solved lab that can be changed, then judged once."""

    def verdicts(self) -> Mapping[str, Judged]:
        """Task's name → its verdict."""
        ...


def each_right(changes: Sequence[Callable[[Any], Any]]) -> pytest.MarkDecorator:
    """Run a test with each of these changes, called by their functions' names."""
    return pytest.mark.parametrize("change", changes, ids=lambda change: change.__name__)


def each_wrong(rows: Sequence[tuple[Callable[[Any], Any], str, str]]) -> pytest.MarkDecorator:
    """Run a test with each (change, task that it spoils, diagnosis that it gets)."""
    ids = [f"{task}-{diagnosis}-{number}" for number, (_, task, diagnosis) in enumerate(rows)]
    return pytest.mark.parametrize(("change", "task", "diagnosis"), rows, ids=ids)


def assert_all_pass(lab: Judging) -> None:
    """Every task of the lab passes."""
    assert {name: one.message for name, one in lab.verdicts().items() if not one.passed} == {}


def assert_fails(lab: Judging, task: str, diagnosis: str, verdicts: Sequence[str] = ("fail", "waiting")) -> None:
    """This task does not pass, says why and, where one is named, with which diagnosis."""
    one = lab.verdicts()[task]
    assert one.verdict.value in verdicts, one
    assert one.message
    if diagnosis:
        assert one.diagnosis == diagnosis


def assert_fails_unexplained(lab: Judging, task: str, diagnoses: Sequence[Any]) -> None:
    """This task does not pass, and no mistake of the chapter is named: none of them is the cause."""
    one = lab.verdicts()[task]
    assert not one.passed
    assert one.diagnosis not in {known.mark.slug for known in diagnoses}
