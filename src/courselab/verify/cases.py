"""The cases that prove a chapter, and what came of each."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from courselab.course import Lab
from courselab.course.scripts import Script, read_scripts
from courselab.grade.checker import Checker


class Kind(enum.Enum):
    """What a case is about; the value is what its Evidence is called."""

    UNTOUCHED = "untouched"
    SOLVED = "solved"
    RESTARTED = "restarted"
    UNDO = "undo"
    RIGHT = "right"
    MISTAKE = "mistake"


@dataclass(frozen=True)
class Case:
    """One thing that is tried."""

    kind: Kind
    script: Script | None = None

    @property
    def name(self) -> str:
        """Unique within a chapter; also its Evidence's file name: "solved", "undo.image", "right.image.by-file", "image.wrong-tag"."""
        if self.script is None:
            return self.kind.value
        return self.script.path.stem if self.kind is Kind.MISTAKE else f"{self.kind.value}.{self.script.path.stem}"

    def expected(self, chapter: str) -> str:
        """What must come of it, in words."""
        if self.script is None:
            return "nothing passes" if self.kind is Kind.UNTOUCHED else "all pass"
        task = f"{chapter}.{self.script.task}"
        if self.kind is Kind.UNDO:
            return f"{task} no longer passes"
        if self.kind is Kind.RIGHT:
            return f"{task} pass"
        return " ".join(filter(None, (task, self.script.verdict, self.script.diagnosis)))


@dataclass(frozen=True)
class Result:
    """What came of a case. `exit_code`: 0 as expected, 1 not, 3 something could not be reached, 4 a check of ours broke."""

    case: str
    expected: str
    got: str
    seconds: float
    exit_code: int = 0
    details: tuple[str, ...] = ()  # what the checks said, where it was not expected
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    def to_json(self) -> dict[str, Any]:
        """As `lab verify --json` prints it."""
        return {
            "case": self.case,
            "ok": self.ok,
            "expected": self.expected,
            "got": self.got,
            "seconds": round(self.seconds, 1),
            "details": list(self.details),
            "note": self.note,
        }


def cases_of(lab: Lab, task: str = "") -> Iterator[Case]:
    """All cases of a lab in the order in which they are tried; with `task` (its name) only those that are about it."""
    yield Case(Kind.UNTOUCHED)
    yield Case(Kind.SOLVED)
    if not task:
        yield Case(Kind.RESTARTED)
    folders = {Kind.UNDO: "undo", Kind.RIGHT: "right", Kind.MISTAKE: "mistakes"}
    scripts = {kind: read_scripts(lab, folder) for kind, folder in folders.items()}
    for name in [one.name for one in lab.tasks if task in ("", one.name)]:
        for kind, found in scripts.items():
            yield from (Case(kind, script) for script in found if script.task == name)


def disturbed(checker: Checker) -> set[str]:
    """Checks that stand on an experiment that changes the lab for a moment, and those that need them."""
    names = {probe.mark.name for probe in checker.probes if probe.mark.effect == "disturb"}
    return checker.needing(check.mark.id for check in checker.checks if names.intersection(check.mark.probes))
