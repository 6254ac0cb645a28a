"""Trying a chapter's cases one after the other in its own lab: untouched, solved, restarted, then each undo, right answer and mistake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Protocol

import msgspec

from courselab.course import Lab, Task
from courselab.course.scripts import Script, read_scripts
from courselab.errors import LabError
from courselab.grade.checker import Checker
from courselab.grade.evidence import Evidence
from courselab.grade.run import Outcome
from courselab.grade.verdict import Judged, VerdictName
from courselab.process import CommandTimeout
from courselab.progress import Progress
from courselab.session.setup import ScriptFailed
from courselab.verify.cases import Case, Kind, Result, disturbed

HASTY_S = 3  # most failures are decided by then; where the outcome is not the expected one, the task's whole deadline is waited
PATIENT = 2  # what must pass may take this many times its deadline: this computer may be busy
Keep = Callable[[Case, Evidence, bool], None]  # the case, what was seen, whether it was as expected


@dataclass(frozen=True)
class _Seen:
    """What a case looked like."""

    got: str
    ok: bool
    outcome: Outcome
    note: str = ""


class TriedLab(Protocol):
    """The lab that is tried on; see OwnLab."""

    @property
    def lab(self) -> Lab: ...
    @property
    def checker(self) -> Checker: ...
    def run(self, script: Script) -> None: ...
    def restart_k3s(self) -> None: ...
    def renewed(self) -> TriedLab: ...
    def check(self, checker: Checker, deadline_s: Callable[[Task], int] | None, *, disturb: bool) -> Outcome: ...


@dataclass
class Verification:
    """One run over a chapter. `keep` is given every case's Evidence. `disturb`: also make experiments that change the lab for a moment."""

    own: TriedLab
    progress: Progress
    keep: Keep
    disturb: bool = True
    _broken: bool = field(default=False, init=False)
    _at_rest: bool = field(default=True, init=False)  # nothing was still settling when the case before had been taken back
    _undone_task: str = field(default="", init=False)  # what the case before took back, and showed that it does not pass

    def results(self, cases: Iterable[Case]) -> Iterator[Result]:
        """Try the cases one after the other, each once the next one is known; ends early where the chapter's own solution does not solve it.

        Raises LabError when the lab cannot be reached or made anew.
        """
        for case, following in pairwise(chain(cases, [None])):
            assert case
            with self.progress.stage(f"{self._lab.chapter} {case.name}", eta_s=5):
                yield self._try(case, following)
            if self._broken:
                return

    def solve(self) -> None:
        """Make a solved lab of one that is as it was in the beginning. Raises ScriptFailed."""
        self._solve(task.name for task in self._lab.tasks)
        self._at_rest = False

    @property
    def _lab(self) -> Lab:
        return self.own.lab

    @property
    def _checker(self) -> Checker:
        return self.own.checker

    def _try(self, case: Case, following: Case | None) -> Result:
        began = time.monotonic()
        expected, note = case.expected(self._lab.chapter), ""
        try:
            seen, note = self._look_surely(case)
            note += seen.note
        except (ScriptFailed, CommandTimeout) as failed:
            self._broken = case.kind is Kind.SOLVED
            note = self._back(case.script)
            return Result(case.name, expected, "a script failed", time.monotonic() - began, 1, (str(failed),), note)
        self.keep(case, _labelled(seen.outcome.evidence, case, expected), seen.ok)
        self._broken = case.kind is Kind.SOLVED and not seen.ok
        if case.kind is Kind.RESTARTED and not seen.ok:
            note = self._renewed("what the restart left was not a solved lab")
        elif case.script and seen.ok and _is(Kind.RIGHT, following, case.script.task):  # it takes the task back first: nothing to solve
            self._undone_task = case.script.task if case.kind is Kind.UNDO else ""
        elif case.script:
            alone = _is(Kind.MISTAKE, following, case.script.task)
            note += self._back(
                case.script, alone=alone, wait=following is None
            )  # nothing comes that would notice a lab that did not get there
        details = () if seen.ok else tuple(_said(seen.outcome.judged))
        code = 0 if seen.ok else _exit_code(seen.outcome)
        return Result(case.name, expected, seen.got, time.monotonic() - began, code, details, note)

    def _look_surely(self, case: Case) -> tuple[_Seen, str]:
        """What a case looks like, and a note. What is not as expected is tried again in a lab at rest, where it came soon after the case before."""
        if self._at_rest:
            return self._look(case), ""
        with suppress(ScriptFailed, CommandTimeout):
            seen = self._look(case)
            if seen.ok:
                return seen, ""
        note = self._back(case.script, wait=True)
        return self._look(case), note

    def _look(self, case: Case) -> _Seen:
        if case.kind is Kind.UNTOUCHED:
            return self._untouched()
        if case.kind is Kind.SOLVED:
            self._solve(task.name for task in self._lab.tasks)
            return self._all_pass(disturb=self.disturb)
        if case.kind is Kind.RESTARTED:
            self.own.restart_k3s()
            return self._all_pass(disturb=self.disturb)
        assert case.script is not None
        if case.kind is Kind.UNDO:
            return self._undone(case.script)
        if case.kind is Kind.RIGHT:
            return self._right(case.script)
        return self._mistake(case.script)

    # The cases ------------------------------------------------------------------------------------------------------------------

    def _untouched(self) -> _Seen:
        outcome = self._check(self._checker, HASTY_S)
        passed = [one.id for one in outcome.judged if one.passed]
        wrong = [one for one in outcome.judged if one.verdict not in (VerdictName.FAIL, VerdictName.BLOCKED)]
        got = f"{', '.join(passed)} pass" if passed else "nothing passes" if not wrong else _verdicts(wrong)
        return _Seen(got, not wrong, outcome)

    def _all_pass(self, *, disturb: bool) -> _Seen:
        outcome = self._check(self._checker, disturb=disturb)
        left = [one for one in outcome.judged if not one.passed and (disturb or one.id not in disturbed(self._checker))]
        return _Seen(_verdicts(left) if left else "all pass", not left, outcome)

    def _undone(self, script: Script) -> _Seen:
        """The task no longer passes; nothing changes but it and what needs it."""
        self.own.run(script)
        id = self._id(script)
        disturb = self._disturbs(id)
        may = self._checker.needing([id]) | (set[str]() if disturb else disturbed(self._checker))

        def look(outcome: Outcome) -> _Seen:
            by_id = {one.id: one for one in outcome.judged}
            also = [one for one in outcome.judged if not one.passed and one.id not in may]
            ok = by_id[id].verdict in (VerdictName.FAIL, VerdictName.BLOCKED) and not also
            return _Seen(_verdicts([by_id[id], *also]) if not ok else f"{id} {by_id[id].verdict.value}", ok, outcome)

        return self._twice(self._checker, look, disturb=disturb)

    def _right(self, script: Script) -> _Seen:
        """Another way to do the task, after what was there was taken back: the solution (by the case before), or the right answer before this one."""
        id = self._id(script)
        checker = self._checker.only({id})
        note = ""
        if self._undone_task != script.task:
            self._undo(script.task)
            if not self._stops_passing(checker, id):
                note = self._renewed("undo did not take back the answer before this one")
                self._undo(script.task)
        self._undone_task = ""
        self.own.run(script)
        outcome = self._check(checker, disturb=self._disturbs(id))
        judged = next(one for one in outcome.judged if one.id == id)
        untold = self._untold(outcome, id)
        return _Seen(f"{id} {_verdict(judged)}", judged.passed or bool(untold), outcome, note + untold)

    def _mistake(self, script: Script) -> _Seen:
        """A typical mistake in a solved lab: its verdict, and the diagnosis that names it."""
        self.own.run(script)
        id = self._id(script)

        def look(outcome: Outcome) -> _Seen:
            judged = next(one for one in outcome.judged if one.id == id)
            # What still waits fails once its time is over; saved Evidence is judged so as well.
            ok = judged.verdict.value == script.verdict and script.diagnosis in ("", judged.diagnosis)
            untold = self._untold(outcome, id)
            return _Seen(f"{id} {_verdict(judged)}", ok or bool(untold), outcome, untold)

        checker = self._checker.only({id})
        return self._twice(checker, look, disturb=self._disturbs(id))

    # The steps ------------------------------------------------------------------------------------------------------------------

    def _twice(self, checker: Checker, look: Callable[[Outcome], _Seen], *, disturb: bool) -> _Seen:
        """Look soon; where that is not what is expected, look again and wait as long as a learner would."""
        seen = look(self._check(checker, HASTY_S, disturb=disturb))
        return seen if seen.ok else look(self._check(checker, disturb=disturb))

    def _check(self, checker: Checker, deadline_s: int | None = None, *, disturb: bool = False) -> Outcome:
        """Judge; what is settling is waited for until `deadline_s`, or generously."""

        def deadline_of(task: Task) -> int:
            return PATIENT * task.deadline_s if deadline_s is None else min(deadline_s, task.deadline_s)

        return self.own.check(checker, deadline_of, disturb=disturb)

    def _glance(self, checker: Checker) -> Outcome:
        """Judge what is there now."""
        return self.own.check(checker, None, disturb=False)

    def _stops_passing(self, checker: Checker, id: str) -> bool:
        """Whether a check passes no longer, now or in a moment."""
        until = time.monotonic() + HASTY_S
        while any(one.id == id and one.passed for one in self._glance(checker).judged):
            if time.monotonic() > until:
                return False
            time.sleep(0.5)
        return True

    def _untold(self, outcome: Outcome, id: str) -> str:
        """That a case cannot be told apart, as a note: nothing speaks against it but an experiment that is left out."""
        undecided = {one.verdict for one in outcome.judged} - {VerdictName.PASS} == {VerdictName.BLOCKED}
        left_out = not self.disturb and id in disturbed(self._checker)
        return "It takes an experiment that was left out." if undecided and left_out else ""

    def _disturbs(self, id: str) -> bool:
        return self.disturb and id in disturbed(self._checker)

    def _solve(self, tasks: Iterable[str]) -> None:
        wanted = set(tasks)
        for script in read_scripts(self._lab, "solution"):
            if script.task in wanted:
                self.own.run(script)

    def _undo(self, task: str) -> None:
        for script in read_scripts(self._lab, "undo"):
            if script.task == task:
                self.own.run(script)

    def _back(self, script: Script | None, *, alone: bool = False, wait: bool = False) -> str:
        """Take the task back and do it again, with all that needs it; where that is no solved lab, do all of the solution, else make it anew.

        What nothing speaks against may still be settling afterwards, unless `wait`. `alone`: what needs the task is left undone where that
        is enough, since the next case is about this task as well.
        """
        if script is None:
            return ""
        id = self._id(script)
        others = self._checker.needing([id]) - {id}
        try:
            self._undo(script.task)
            self._solve([script.task])
            if alone and self._nearly_solved(without=others):
                self._at_rest &= not others  # whatever a script found missing is done before it is tried again
                return ""
            self._solve(other.partition(".")[2] for other in others)
            if not wait and self._nearly_solved():
                return ""
            why = self._unsolved()
            if not why:
                return ""
            self.solve()
            return self._renewed(why) if self._unsolved() else f"{why}: all of the solution did."
        except (ScriptFailed, CommandTimeout) as failed:
            return self._renewed(f"undo and solution did not lead back ({failed})")

    def _unsolved(self) -> str:
        """Why this is no solved lab, once everything has settled; "" for one that is."""
        seen, self._at_rest = self._all_pass(disturb=False), True
        said = " ".join(line.strip() for line in _said(seen.outcome.judged))
        return "" if seen.ok else f"undo and solution did not lead back ({said[:300]})"

    def _nearly_solved(self, *, without: Set[str] = frozenset()) -> bool:
        """Whether no check fails as things are now, but those of `without`; notes whether one waits."""
        verdicts = {one.verdict for one in self._glance(self._checker).judged if one.id not in without}
        self._at_rest = VerdictName.WAITING not in verdicts
        return verdicts <= {VerdictName.PASS, VerdictName.WAITING, VerdictName.BLOCKED}

    def _renewed(self, why: str) -> str:
        """Make the lab anew, solved, and return the note about it. Raises LabError if that does not work any more."""
        self.own = self.own.renewed()
        try:
            self.solve()
        except ScriptFailed as failed:
            raise LabError("The lab could not be made anew", why=str(failed), fix="Does the solution work twice?") from failed
        return f"{why}: the lab was made anew."

    def _id(self, script: Script) -> str:
        return f"{self._lab.chapter}.{script.task}"


def _is(kind: Kind, case: Case | None, task: str) -> bool:
    """Whether there is a case, of this kind and about this task."""
    return case is not None and case.kind is kind and case.script is not None and case.script.task == task


def _labelled(evidence: Evidence, case: Case, expected: str) -> Evidence:
    """The Evidence with the case it is of."""
    return msgspec.structs.replace(evidence, from_run={"case": case.name, "expected": expected})


def _verdict(judged: Judged) -> str:
    return " ".join(filter(None, (judged.verdict.value, judged.diagnosis)))


def _verdicts(judged: Iterable[Judged]) -> str:
    return ", ".join(f"{one.id} {_verdict(one)}" for one in judged)


def _said(judged: Iterable[Judged]) -> Iterator[str]:
    """What the checks that did not pass say, in full."""
    for one in judged:
        if not one.passed:
            yield f"{one.id} {_verdict(one)}: {one.message}"
            yield from (
                f"    {word}: {text}" for word, text in (("expected", one.expected), ("actual", one.actual), ("at", one.path)) if text
            )
            yield from (f"    {line}" for line in one.why)


def _exit_code(outcome: Outcome) -> int:
    return max(1, outcome.report.exit_code)
