"""What a chapter's checker is written with: decorators that mark functions, and the ways to say that something is not right.

A decorator attaches a mark to the function and returns it unchanged, so a checker file can be read, imported and tested like
any other module. The loader (courselab.grade.checker) finds the marks again; nothing is registered anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, TypeVar

__all__ = [
    "CheckMark",
    "CheckerMistake",
    "DiagnoseMark",
    "FactMark",
    "Failure",
    "Mark",
    "Part",
    "Partial",
    "ProbeMark",
    "check",
    "diagnose",
    "fact",
    "fail",
    "marks_of",
    "partial",
    "probe",
]

Function = TypeVar("Function", bound=Callable[..., Any])
Effect = Literal["observe", "disturb"]
CHECK_DEADLINE_S = 5.0
_ID = re.compile(r"\d\d\.[a-z][a-z0-9-]*")
_SLUG = re.compile(r"[a-z][a-z0-9-]*")


class Failure(Exception):
    """A task is not done: what was expected, what is there instead, and where.

    `message` is a sentence for the learner. `about` is the Kubernetes object (or objects) whose state explains the failure;
    without it the objects that the check read last are asked. `next` is what to look at next, never the solution.
    `told` stands in for a message where none is written, and says no more than the other parts do.
    Without `explain` the failure is not explained: to find out why is the task. Nothing is waited for then.
    """

    def __init__(
        self,
        message: str = "",
        *,
        expected: str = "",
        actual: str = "",
        path: str = "",
        about: Any = None,
        next: str = "",
        credit: float = 0.0,
        told: str = "",
        explain: bool = True,
    ) -> None:
        super().__init__(message or told or f"expected {expected}, found {actual}")
        self.message = message
        self.expected = expected
        self.actual = actual
        self.path = path
        self.about = about
        self.next = next
        self.credit = credit  # the fraction of the task that is done, from 0 to 1
        self.explain = explain


class CheckerMistake(Exception):
    """A checker file itself is wrong, for example it reads what it did not declare. Never counted against a student."""


def fail(
    message: str, *, expected: str = "", actual: str = "", path: str = "", about: Any = None, next: str = "", explain: bool = True
) -> Any:
    """Say that the task is not done. Raises Failure, always.

    With `explain=False` nobody says why: no chain of causes, no diagnosis, no waiting. For a lab that begins with something broken, as
    long as it is as it was in the beginning: to find out why is the task.
    """
    raise Failure(message, expected=expected, actual=actual, path=path, about=about, next=next, explain=explain)


@dataclass(frozen=True)
class CheckMark:
    """A function that grades one task."""

    id: str
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    settled: bool = True
    deadline_s: float = CHECK_DEADLINE_S


@dataclass(frozen=True)
class FactMark:
    """A function that looks into a machine while Evidence is collected."""

    name: str
    on: tuple[str, ...]

    def is_of(self, machine: str) -> bool:
        """Whether it looks into this machine."""
        return machine in self.on or "all" in self.on


@dataclass(frozen=True)
class ProbeMark:
    """A function that makes an experiment in the live lab."""

    name: str
    effect: Effect = "observe"
    needs: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    deadline_s: float = 10.0


@dataclass(frozen=True)
class DiagnoseMark:
    """A function that recognises one typical mistake of a task."""

    check: str
    slug: str


Mark = CheckMark | FactMark | ProbeMark | DiagnoseMark


def check(
    id: str,
    *,
    needs: str | Sequence[str] = (),
    reads: str | Sequence[str] = (),
    probes: str | Sequence[str] = (),
    settled: bool = True,
    deadline_s: float = CHECK_DEADLINE_S,
) -> Callable[[Function], Function]:
    """Mark the function that grades task `id` ("02.deploy"); title, points, text and hints of the task stand in lab.yaml.

    The function takes any of `cluster`, `nodes`, `probes`, `params`, by name. It returns None when the task is done, else it
    raises: through `expect`, `fail`, a `partial` block or a plain `assert`.

    `needs`: ids of checks that must pass first; until they do this one is `blocked`.
    `reads`: kinds of objects it reads ("Deployment"; "traefik.io/IngressRoute" where a kind's name is not unique).
    `probes`: names of the probes it reads.
    `settled`: it passes only when the objects it reads by name have settled (rolled out). False for a task about an object that
    is meant to be broken, or whose state does not matter. On an object that is being deleted, by itself or with its namespace, or whose
    controller has not noticed its last change, no check passes; one about a dying object finds it with `cluster.list(…, dying=True)`.
    `deadline_s`: seconds the function itself may take; it only computes, so this is a safeguard.
    """
    _must_match(_ID, id, "a check's id is chapter.task, as in lab.yaml: 02.deploy")
    return _marker(CheckMark(id, _names(needs), _names(reads), _names(probes), settled, deadline_s))


def fact(name: str, *, on: str | Sequence[str]) -> Callable[[Function], Function]:
    """Mark a function that looks into a machine with pytest-testinfra: it takes `host` (and `params`, if it wants).

    What it returns must be JSON (at most 64 KiB) and is read in a check as `nodes["server"].fact("tls_sans")`.
    `on`: names of machines as in lab.yaml, or "all".
    """
    return _marker(FactMark(name, _names(on)))


def probe(
    name: str, *, effect: Effect = "observe", needs: str | Sequence[str] = (), objects: str | Sequence[str] = (), deadline_s: float = 10.0
) -> Callable[[Function], Function]:
    """Mark a function that makes an experiment: it takes `lab` (see courselab.grade.toolbox) and any of `cluster`, `nodes`, `params`.

    What it returns must be JSON (at most 64 KiB) and is read in a check as `probes["02.replacement"]`.

    `effect`: "observe" changes nothing and may run at any time. "disturb" runs last, one at a time, only in a typed `lab check`,
    and must put back what it changed (use `lab.on_exit`).
    `needs`: ids of checks that must pass before it is worth running (a disturbing probe).
    `objects`: what the result depends on, "Kind/namespace/name" or "Kind/name", with {parameters}: "Deployment/{namespace}/web".
    A disturbing probe is made once they have settled, and its result is reused while their uid and generation stay the same.
    `deadline_s`: seconds it may take.
    """
    _must_match(_ID, name, "a probe's name is chapter.name: 02.replacement")
    if effect not in ("observe", "disturb"):
        raise CheckerMistake(f'probe {name}: effect is "observe" or "disturb", not {effect!r}')
    if effect == "disturb" and not objects:
        raise CheckerMistake(f"probe {name} disturbs: name the objects its result depends on, objects=[...]")
    return _marker(ProbeMark(name, effect, _names(needs), _names(objects), deadline_s))


def diagnose(check: str, slug: str) -> Callable[[Function], Function]:
    """Mark a function that recognises a typical mistake of the check with id `check`.

    It runs only after that check failed, in the order of the file, and takes any of `cluster`, `nodes`, `probes`, `params`,
    `failure` (its `message`, `expected`, `actual`, `path`). It returns one sentence if it recognises its mistake (`slug` then names
    it), else None.
    """
    _must_match(_ID, check, "a diagnosis belongs to a check: 02.deploy")
    _must_match(_SLUG, slug, "a diagnosis is named in lower case with dashes: image-typo")
    return _marker(DiagnoseMark(check, slug))


def marks_of(function: Any) -> tuple[Mark, ...]:
    """The marks that decorators of this module left on a function."""
    return tuple(getattr(function, "__lab__", ()))


@dataclass(frozen=True)
class Part:
    """One part of a task: its share, and why it is not done (None if it is)."""

    title: str
    weight: float
    failure: BaseException | None


@dataclass
class Partial:
    """Partial credit: every `with part(...)` block is tried, and the task earns the share of those that held.

    with partial() as part:
        with part("a CPU request"):
            expect(container).matches({"resources": {"requests": {"cpu": ANY}}})
        with part("a memory request", weight=2):
            expect(container).matches({"resources": {"requests": {"memory": "64Mi"}}})
    """

    done: list[Part] = field(default_factory=list[Part])

    def __call__(self, title: str, *, weight: float = 1.0) -> _PartBlock:
        return _PartBlock(self.done, title, weight)

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            return
        failed = [part for part in self.done if part.failure is not None]
        if failed:
            raise PartialFailure(self.done, failed)


class PartialFailure(Failure):
    """Some parts of a task hold, others do not."""

    def __init__(self, parts: list[Part], failed: list[Part]) -> None:
        first = failed[0].failure
        first = first if isinstance(first, Failure) else Failure(str(first))
        total = sum(part.weight for part in parts)
        super().__init__(
            "; ".join(f"{part.title}: {'yes' if part.failure is None else part.failure}" for part in parts),
            expected=first.expected,
            actual=first.actual,
            path=first.path,
            about=first.about,
            next=first.next,
            credit=sum(part.weight for part in parts if part.failure is None) / total,
        )
        self.parts = tuple(parts)
        self.first = failed[0].failure


class _PartBlock:
    def __init__(self, done: list[Part], title: str, weight: float) -> None:
        self._done, self._title, self._weight = done, title, weight

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is not None and not isinstance(error, (Failure, AssertionError)):
            return False
        self._done.append(Part(self._title, self._weight, error))
        return True


def partial() -> Partial:
    """Start a block of parts that are graded one by one; see Partial."""
    return Partial()


def _marker(mark: Mark) -> Callable[[Function], Function]:
    def attach(function: Function) -> Function:
        # The lowest decorator runs first; keep the order in which they are written.
        setattr(function, "__lab__", (mark, *marks_of(function)))  # noqa: B010 functions have no typed place for it
        return function

    return attach


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name may stand without a list; as a sequence it would be its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def _must_match(pattern: re.Pattern[str], text: str, rule: str) -> None:
    if not pattern.fullmatch(text):
        raise CheckerMistake(f"{text!r}: {rule}")
