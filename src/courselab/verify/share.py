"""Several labs share the cases of a chapter, so that one works while another waits. What is about one task stays in one lab, in its order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from courselab.errors import LabError
from courselab.session.setup import ScriptFailed
from courselab.verify.cases import Case, Kind, Result


class Tried(Protocol):
    """Cases tried in one lab; see Verification."""

    def solve(self) -> None: ...
    def results(self, cases: Iterable[Case]) -> Iterable[Result]: ...


_WAKE_S = 0.5  # Windows notices Ctrl-C only between two waits
USUAL_S = 7.0  # what a case takes of which nothing is known


def share(cases: Sequence[Case], runs: Sequence[Tried], tell: Callable[[Result], None], took: Mapping[str, float]) -> None:
    """Try all cases, each in one of the labs of `runs`, and `tell` what came of it, in the order in which they end.

    `took`: seconds that cases took before, by their names: what takes longest is begun first, so that no lab is left alone with it in the end.
    The first lab begins with what is about the whole chapter; where its solution does not solve it, that is all. Raises what any of the
    labs raised: after the case that the first is at, where it was another; at once where it was the first, and then it is for the caller
    to end what the others are at.
    """
    first, *others = runs
    tasks = sorted(_by_task(cases), key=lambda task: sum(took.get(case.name, USUAL_S) for case in task), reverse=True)
    rest = _Rest(tasks)
    helpers = [threading.Thread(target=rest.help, args=(run, tell), name="verify", daemon=True) for run in others]
    for helper in helpers:
        helper.start()
    try:
        whole = [case for case in cases if case.script is None]
        for result in first.results(whole):
            tell(result)
            if result.case == Kind.SOLVED.value:
                rest.open(result.ok)
        rest.work(first, tell)
    except BaseException:
        rest.close()
        raise
    for helper in helpers:
        while helper.is_alive():
            helper.join(_WAKE_S)
    rest.raise_failure()


def _by_task(cases: Iterable[Case]) -> list[list[Case]]:
    """What is about each task."""
    return [list(group) for task, group in groupby(cases, lambda case: case.script.task if case.script else "") if task]


@dataclass
class _Rest:
    """The tasks that no lab has begun with."""

    tasks: Iterable[list[Case]]
    _opened: threading.Event = field(default_factory=threading.Event)
    _solved: bool = False
    _failed: list[BaseException] = field(default_factory=list[BaseException])

    def __post_init__(self) -> None:
        self._left = deque(self.tasks)

    def open(self, solved: bool) -> None:
        """The chapter's solution does solve it, or not: then nothing is left to try."""
        self._solved = solved
        self._opened.set() if solved else self.close()

    def close(self) -> None:
        """Nothing more is begun."""
        self._left.clear()
        self._opened.set()

    def work(self, run: Tried, tell: Callable[[Result], None]) -> None:
        """Try what is about one task after the other, until none is left."""
        for result in run.results(self._cases()):
            tell(result)
            if self._failed:
                return

    def _cases(self) -> Iterator[Case]:
        while True:
            try:
                task = self._left.popleft()
            except IndexError:
                return
            yield from task

    def help(self, run: Tried, tell: Callable[[Result], None]) -> None:
        """The same in a further lab, once it is known that the solution solves the first. What goes wrong is kept."""
        try:
            try:
                run.solve()
            except ScriptFailed as failed:
                raise LabError(
                    "The solution solves one lab, and fails in another", why=str(failed), fix="Does it hang on chance?"
                ) from failed
            finally:
                self._opened.wait()
            self.work(run, tell)
        except BaseException as failure:
            if self._solved:
                self._failed.append(failure)
            self.close()

    def raise_failure(self) -> None:
        """Raise what a further lab met, if anything."""
        if self._failed:
            raise self._failed[0]
