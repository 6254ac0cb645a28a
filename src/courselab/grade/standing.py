"""How a watched lab stands: Evidence that is kept up to date, and the verdicts on it. No threads, no cluster, no waiting here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from courselab.grade.affected import Change, affected, probes_to_repeat, readers
from courselab.grade.evidence import Evidence, ProbeResult
from courselab.grade.experiments import Experiments
from courselab.grade.judge import judge
from courselab.grade.live import Live
from courselab.grade.report import Report, make_report
from courselab.grade.target import Target
from courselab.grade.verdict import Judged, VerdictName, settle_up

PROBE_EVERY_S = 1.0  # one experiment is made at most so often


@dataclass(frozen=True)
class Update:
    """What is known of a lab after a change."""

    report: Report
    evidence: Evidence
    judged: tuple[Judged, ...]
    left_out: tuple[str, ...] = ()  # ids of checks that only a disturbing experiment can decide
    full: bool = False  # everything was collected anew because somebody asked for it
    checking: bool = False  # that goes on now

    @property
    def waits_for(self) -> tuple[str, ...]:
        """What is still settling, a sentence each."""
        return tuple(dict.fromkeys(one.waits_for for one in self.judged if one.verdict is VerdictName.WAITING and one.waits_for))


class Standing:
    """The verdicts on a lab, judged again as far as something changed. Times are seconds of a monotonic clock."""

    def __init__(self, target: Target, live: Live, experiments: Experiments, bug_folder: Path | None = None) -> None:
        self.live = live
        self.experiments = experiments
        self.target = target
        self._checker = target.checker
        self._bug_folder = bug_folder
        self._raw: dict[str, Judged] = {}  # as judged, without an end to waiting
        self._waiting_since: dict[str, float] = {}
        self._deadlines = {task.id: float(task.deadline_s) for task in target.lab.tasks}
        self._change = Change()
        self._repeat: set[str] = set()  # experiments to be made again
        self._made_at: dict[str, float] = {}
        self._recalled: dict[str, ProbeResult] = {}

    def note(self, change: Change) -> None:
        """Something is another than it was; `judge` says what that means."""
        self._change |= change
        self._repeat |= probes_to_repeat(self._checker, change)

    def judge(self, now: float) -> Update:
        """The verdicts now. Only checks that a change may touch run."""
        evidence = self._evidence()
        pending = self._pending(evidence)
        while True:
            judged = self._judge(evidence, pending)
            void = self._forget_void()
            evidence = without(evidence, void)
            reasons = self._pending(evidence)
            other = void | {name for name in reasons.keys() | pending if reasons.get(name) != pending.get(name)}
            if not other:  # else what passed now is not what passed before, and decides which experiments count
                break
            self._change, pending = Change(probes=frozenset(other)), reasons
        final = tuple(self._ended(one, now) for one in judged)
        return Update(make_report(self.target.lab, evidence, final, seconds=0.0), evidence, final, self._left_out(evidence))

    def _left_out(self, evidence: Evidence) -> tuple[str, ...]:
        passed = self.passed
        unmade = {
            probe.mark.name
            for probe in self._checker.probes
            if probe.mark.effect == "disturb" and probe.mark.name not in evidence.probes and passed.issuperset(probe.mark.needs)
        }
        checks = [check.mark for check in self._checker.checks if unmade.intersection(check.mark.probes)]
        return tuple(mark.id for mark in checks if self._raw[mark.id].verdict is VerdictName.BLOCKED)

    def evidence_for(self, probes: set[str]) -> Evidence:
        """The Evidence now, for making these experiments."""
        return without(self._evidence(), probes)

    @property
    def passed(self) -> set[str]:
        """Ids of the checks that pass."""
        return {one.id for one in self._raw.values() if one.passed}

    def waiting(self, now: float) -> list[Judged]:
        """What waits and is not past its deadline: time alone may decide it."""
        return [one for one in self._raw.values() if one.verdict is VerdictName.WAITING and not self._is_late(one, now)]

    def probes_due(self, now: float) -> tuple[set[str], float]:
        """The observing experiments to be made at this moment; and in how many seconds the next one may be (infinite: none)."""
        if not self.live.base.cluster.reachable:
            return set(), float("inf")
        passed = self.passed
        wanted = {
            probe.mark.name
            for probe in self._checker.probes
            if probe.mark.effect == "observe"
            and passed.issuperset(probe.mark.needs)
            and (probe.mark.name in self._repeat or probe.mark.name not in self.live.probes)
        }
        waits = {name: self._made_at.get(name, now - PROBE_EVERY_S) + PROBE_EVERY_S - now for name in wanted}
        due = {name for name, wait in waits.items() if wait <= 0}
        return due, min((wait for wait in waits.values() if wait > 0), default=float("inf"))

    def repeat(self, *, everything: bool) -> None:
        """Have experiments made again: all that observe, or those that checks read which have not passed."""
        wanted = self._raw if everything else [id for id, one in self._raw.items() if not one.passed]
        self._repeat |= readers(self._checker, wanted)

    def repeat_for(self, judged: Iterable[Judged]) -> None:
        """Have the experiments made again that these checks read."""
        self._repeat |= readers(self._checker, [one.id for one in judged])

    def go_on_waiting(self, before: Standing) -> None:
        """Take over since when checks wait: collecting anew does not give them more time."""
        self._waiting_since = before._waiting_since

    def begin_probes(self, names: set[str], now: float) -> None:
        """These experiments are being made."""
        self._repeat -= names
        self._made_at.update(dict.fromkeys(names, now))

    def take_probes(self, results: Mapping[str, ProbeResult]) -> Change:
        """Take over what experiments showed; those that showed something else than before have changed."""
        other = {name for name, one in results.items() if name not in self.live.probes or not _same(one, self.live.probes[name])}
        self.live.probes.update(results)
        return Change(probes=frozenset(other))

    def _evidence(self) -> Evidence:
        """Everything that is known, with earlier results of disturbing experiments as far as they still hold."""
        evidence = self.experiments.recall(self.live.evidence())
        recalled = {name: one for name, one in evidence.probes.items() if one.reused}
        if other := {name for name in recalled.keys() | self._recalled if recalled.get(name) != self._recalled.get(name)}:
            self._change |= Change(probes=frozenset(other))
        self._recalled = recalled
        return evidence

    def _forget_void(self) -> set[str]:
        """Forget what experiments showed whose needed checks do not pass any more; their names."""
        passed = self.passed
        void = {probe.mark.name for probe in self._checker.probes if not passed.issuperset(probe.mark.needs)} & self.live.probes.keys()
        for name in void:
            del self.live.probes[name]
        return void

    def _pending(self, evidence: Evidence) -> dict[str, str]:
        return self.experiments.pending(evidence, self.passed, disturb=False)

    def _judge(self, evidence: Evidence, pending: Mapping[str, str]) -> list[Judged]:
        run = affected(self._checker, self._raw, self._change)
        self._change = Change()
        keep = {id: one for id, one in self._raw.items() if id not in run}
        judged = judge(self._checker, evidence, pending=pending, bug_folder=self._bug_folder, keep=keep)
        self._raw = {one.id: one for one in judged}
        return judged

    def _ended(self, one: Judged, now: float) -> Judged:
        """The same verdict; what has waited for longer than its task allows has failed."""
        if one.verdict is not VerdictName.WAITING:
            self._waiting_since.pop(one.id, None)
            return one
        waited = now - self._waiting_since.setdefault(one.id, now)
        return settle_up([one], waited)[0] if self._is_late(one, now) else one

    def _is_late(self, one: Judged, now: float) -> bool:
        return now - self._waiting_since.get(one.id, now) >= self._deadlines.get(one.id, 0.0)


def without(evidence: Evidence, probes: set[str]) -> Evidence:
    """The same Evidence without what these experiments showed."""
    if not probes & evidence.probes.keys():
        return evidence
    return msgspec.structs.replace(evidence, probes={name: one for name, one in evidence.probes.items() if name not in probes})


def _same(one: ProbeResult, other: ProbeResult) -> bool:
    return msgspec.structs.replace(one, at=other.at) == other
