"""The report of one check run: verdicts with their tasks' titles and points, the score, the exit code, and the JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from courselab.course.model import Lab, Task
from courselab.course.params import Params
from courselab.grade.clean import clean
from courselab.grade.evidence import Evidence
from courselab.grade.judge import params_of
from courselab.grade.verdict import Judged, Trouble, VerdictName
from courselab.points import plain_number

SCHEMA = 1
WHY_LINES = 12


@dataclass(frozen=True)
class Result:
    """One task's line of the report; every text is safe to print."""

    id: str
    title: str
    verdict: VerdictName
    earned: float
    points: int
    expected: str = ""
    actual: str = ""
    path: str = ""
    why: tuple[str, ...] = ()
    diagnosis: str = ""
    message: str = ""
    next: str = ""
    plain: bool = False  # the message says no more than expected, actual and path do
    subject: str = ""  # what it is about: "Deployment web"
    about: tuple[str, ...] = ()  # the UIDs of the objects that a failure is about
    trouble: Trouble | None = None

    def to_json(self) -> dict[str, Any]:
        """As `lab check --json` prints it."""
        return {
            "id": self.id,
            "title": self.title,
            "verdict": self.verdict.value,
            "earned": plain_number(self.earned),
            "points": self.points,
            "expected": self.expected,
            "actual": self.actual,
            "path": self.path,
            "why": list(self.why),
            "diagnosis": self.diagnosis,
            "message": self.message,
            "next": self.next,
        }


@dataclass(frozen=True)
class Report:
    """What `lab check` says."""

    lab: str
    title: str
    student: str
    provider: str
    distribution: str
    version: str
    seconds: float
    results: tuple[Result, ...]

    @property
    def earned(self) -> float:
        """Points that are earned."""
        return round(sum(result.earned for result in self.results), 2)

    @property
    def possible(self) -> int:
        """Points of the whole lab."""
        return sum(result.points for result in self.results)

    @property
    def score(self) -> str:
        """What is earned, in words."""
        return f"{plain_number(self.earned)} of {self.possible} points"

    @property
    def runs_on(self) -> str:
        """Which Kubernetes, and whose machines: "k3s v1.36.3+k3s1 · local"."""
        return " · ".join(filter(None, (f"{self.distribution} {self.version}".strip(), self.provider)))

    @property
    def undecided(self) -> int:
        """Points of tasks that could not be judged."""
        return sum(result.points for result in self.results if result.verdict is VerdictName.ERROR)

    @property
    def all_passed(self) -> bool:
        """Whether every task is done."""
        return all(result.verdict is VerdictName.PASS for result in self.results)

    @property
    def exit_code(self) -> int:
        """The highest that applies: 4 a check of ours broke, 3 something could not be reached, 1 not all passed, 0 all passed."""
        troubles = {result.trouble for result in self.results}
        if Trouble.OURS in troubles:
            return 4
        if Trouble.UNREACHABLE in troubles:
            return 3
        return 0 if self.all_passed else 1

    def to_json(self) -> dict[str, Any]:
        """The document that `lab check --json` prints."""
        return {
            "schema": SCHEMA,
            "lab": self.lab,
            "student": self.student,
            "k3s": {"distribution": self.distribution, "version": self.version},
            "provider": self.provider,
            "score": {"earned": plain_number(self.earned), "possible": self.possible, "undecided": self.undecided},
            "seconds": round(self.seconds, 2),
            "checks": [result.to_json() for result in self.results],
        }


def make_report(lab: Lab, evidence: Evidence, judged: Iterable[Judged], *, seconds: float) -> Report:
    """Put verdicts and tasks together, in the order of lab.yaml."""
    by_id = {one.id: one for one in judged}
    params = params_of(evidence)
    return Report(
        lab=lab.chapter,
        title=clean(lab.title),
        student=clean(evidence.student),
        provider=clean(evidence.provider),
        distribution=clean(evidence.k3s.distribution),
        version=clean(evidence.k3s.version or evidence.cluster.version),
        seconds=seconds,
        results=tuple(_result(task, by_id[task.id], params) for task in lab.tasks if task.id in by_id),
    )


def _result(task: Task, judged: Judged, params: Params) -> Result:
    earned = task.points if judged.passed else task.points * judged.credit if judged.verdict is not VerdictName.BLOCKED else 0
    return Result(
        id=task.id,
        title=clean(params.fill(task.title)),
        verdict=judged.verdict,
        earned=round(earned, 2),
        points=task.points,
        expected=clean(judged.expected),
        actual=clean(judged.actual),
        path=clean(judged.path),
        why=_lines(judged.why),
        diagnosis=judged.diagnosis,
        message=clean(judged.message),
        next=clean(judged.next),
        plain=judged.plain,
        subject=clean(judged.subject),
        about=judged.about,
        trouble=judged.trouble,
    )


def _lines(why: Sequence[str]) -> tuple[str, ...]:
    return tuple(clean(line) for line in why[:WHY_LINES])
