"""`lab check`: collect, judge, wait while something is still settling, make the experiments, report.

target = Target(lab, load_checker(checker_path(paths.course, lab.chapter), lab), params, machines, kubeconfig, key, …)
outcome = run_checks(target, wait=not no_wait, cache=probe_cache, lock=lab_lock, bug_folder=paths.state / "bugs", on_update=show)
print_report(outcome.report, Console())            # courselab.grade.render
print(json.dumps(outcome.report.to_json()))
save(outcome.evidence, Path("evidence.json"))      # courselab.grade.evidence
sys.exit(outcome.report.exit_code)

judge_saved(lab, checker, load(Path("evidence.json")))      # the same without a cluster
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from courselab.course.model import Lab
from courselab.errors import UsageError
from courselab.grade.changes import Changes, ClusterChanges
from courselab.grade.checker import Checker, ProbeFunction
from courselab.grade.collect import collect, redactor_for
from courselab.grade.evidence import Evidence
from courselab.grade.experiments import Cache, Experiments, Lock
from courselab.grade.judge import judge
from courselab.grade.redact import Redactor
from courselab.grade.report import Report, make_report
from courselab.grade.target import Target
from courselab.grade.verdict import Judged, VerdictName, settle_up

SLOW_POLL_S = 5.0  # nothing but the cluster is waited for, and it is watched
FAST_POLL_S = 1.0  # machines and experiments have no watch
_WATCHED = ("Pod", "Deployment", "Service", "EndpointSlice")


@dataclass(frozen=True)
class Outcome:
    """What a check run leaves."""

    report: Report
    evidence: Evidence
    judged: tuple[Judged, ...]


@dataclass(frozen=True)
class Progress:
    """What a run is waiting for, told while it goes on."""

    judged: tuple[Judged, ...]
    waits_for: str  # one sentence
    seconds_left: float
    experiment: str = ""  # the name of the experiment that starts now


class Collector(Protocol):
    """How Evidence is had; tests have it from a file."""

    def __call__(self, target: Target, redactor: Redactor | None = None) -> Evidence: ...


@dataclass(frozen=True)
class Engine:
    """The run's outer world, so that tests need no cluster and no time."""

    collect: Collector = collect
    changes: Callable[[Target, Evidence, Iterable[str]], Changes] = ClusterChanges
    monotonic: Callable[[], float] = time.monotonic


def run_checks(
    target: Target,
    *,
    wait: bool = True,
    disturb: bool = True,
    cache: Cache | None = None,
    lock: Lock = contextlib.nullcontext,
    bug_folder: Path | None = None,
    on_update: Callable[[Progress], None] | None = None,
    engine: Engine | None = None,
) -> Outcome:
    """Check a running lab.

    `wait`: give what is still settling until its task's deadline. `disturb`: make experiments that change the lab for a moment, each
    under `lock`; `cache` keeps their results between runs. `bug_folder`: where reports about broken checks go. `on_update` is told
    what is waited for. Raises nothing for what the lab does; Ctrl-C comes through, after experiments have put back what they changed.
    """
    experiments = Experiments(target, cache if cache is not None else {}, lock, bug_folder)
    run = _Run(target, experiments, engine or Engine(), bug_folder=bug_folder, on_update=on_update or (lambda progress: None))
    try:
        return run.run(wait=wait, disturb=disturb)
    finally:
        experiments.close()


def judge_saved(lab: Lab, checker: Checker, evidence: Evidence, *, bug_folder: Path | None = None) -> Outcome:
    """Judge Evidence that was collected earlier. Nothing can be waited for: what was still settling has failed.

    Raises UsageError if the Evidence is of fewer tasks than the lab gives each student: it would be done too easily.
    """
    named = str(evidence.params.get("tasks", "")).split()
    if lab.drawn and sum(task.name in named for task in lab.tasks) < lab.drawn:
        why = f"Each student has {lab.drawn} tasks of lab {lab.chapter}, and fewer are named in it."
        fix = "Was it changed, or made with another version of the course? Ask for a new one."
        raise UsageError("The Evidence does not fit the lab", why=why, fix=fix)
    checker = checker.drawn(evidence.params, lab.chapter)
    pending = {probe.mark.name: "was not made when this Evidence was collected" for probe in checker.probes}
    judged = settle_up(judge(checker, evidence, pending=pending, bug_folder=bug_folder), 0.0)
    return Outcome(make_report(lab, evidence, judged, seconds=evidence.seconds), evidence, tuple(judged))


class _Run:
    def __init__(
        self,
        target: Target,
        experiments: Experiments,
        engine: Engine,
        *,
        bug_folder: Path | None,
        on_update: Callable[[Progress], None],
    ) -> None:
        self._target = target
        self._experiments = experiments
        self._engine = engine
        self._bug_folder = bug_folder
        self._on_update = on_update
        self._disturb = False
        self._started = engine.monotonic()
        self._deadlines = {task.id: float(task.deadline_s) for task in target.lab.tasks}

    def run(self, *, wait: bool, disturb: bool) -> Outcome:
        self._disturb = disturb
        evidence, judged = self._round()
        if wait:
            evidence, judged = self._wait(evidence, judged)
            judged = settle_up(judged, self._elapsed())
        if disturb:
            if wait:
                evidence, judged = self._calm(evidence, judged)
            evidence, judged = self._experiment(evidence, judged, wait)
        report = make_report(self._target.lab, evidence, judged, seconds=self._elapsed())
        return Outcome(report, evidence, tuple(judged))

    def _round(self) -> tuple[Evidence, list[Judged]]:
        """Collect and judge once, with the experiments that only observe."""
        redactor = redactor_for(self._target)
        evidence = self._engine.collect(self._target, redactor)
        self._experiments.redactor = redactor
        evidence = self._experiments.recall(evidence)
        evidence = self._experiments.observe(evidence, set())
        judged = self._judge(evidence, set())
        if self._target.checker.probes:
            passed = _passed(judged)
            more = self._experiments.observe(evidence, passed)
            evidence, judged = more, self._judge(more, passed)
        return evidence, judged

    def _judge(self, evidence: Evidence, passed: set[str]) -> list[Judged]:
        pending = self._experiments.pending(evidence, passed, disturb=self._disturb)
        return judge(self._target.checker, evidence, pending=pending, bug_folder=self._bug_folder)

    def _wait(self, evidence: Evidence, judged: list[Judged]) -> tuple[Evidence, list[Judged]]:
        """Collect anew whenever something changed, until nothing waits any more or all that does is past its deadline."""
        changes: Changes | None = None
        try:
            while waiting := self._waiting(judged):
                left = max(self._deadline(one) for one in waiting) - self._elapsed()
                if left <= 0:
                    break
                self._on_update(Progress(tuple(judged), waiting[0].waits_for, left))
                if changes is None:
                    kinds = {kind for one in waiting for kind in one.kinds}.union(_WATCHED)
                    changes = self._engine.changes(self._target, evidence, sorted(kinds))
                slow = changes.whole and evidence.cluster.reachable and not any(one.reads_nodes or one.probes for one in waiting)
                changes.wait(min(left, SLOW_POLL_S if slow else FAST_POLL_S))
                evidence, judged = self._round()
        finally:
            if changes is not None:
                changes.close()
        return evidence, judged

    def _waiting(self, judged: list[Judged]) -> list[Judged]:
        """What is still worth waiting for."""
        return [one for one in judged if one.verdict is VerdictName.WAITING and self._deadline(one) > self._elapsed()]

    def _calm(self, evidence: Evidence, judged: list[Judged]) -> tuple[Evidence, list[Judged]]:
        """Wait until what the first disturbing experiment is about has settled: before that, it would meet what was there before."""
        changes: Changes | None = None
        try:
            while (due := self._experiments.next_disturbing(evidence, _passed(judged))) and (left := self._time_for(due)) > 0:
                if not (waits_for := self._experiments.unrest(due, evidence)):
                    break
                self._on_update(Progress(tuple(judged), waits_for, left))
                if changes is None:
                    changes = self._engine.changes(self._target, evidence, sorted(_WATCHED))
                changes.wait(min(left, FAST_POLL_S))
                evidence, judged = self._round()
        finally:
            if changes is not None:
                changes.close()
        evidence, judged = self._wait(evidence, judged) if changes else (evidence, judged)
        return evidence, settle_up(judged, self._elapsed())

    def _time_for(self, probe: ProbeFunction) -> float:
        """How long the checks that read an experiment may still wait."""
        readers = [check.mark.id for check in self._target.checker.checks if probe.mark.name in check.mark.probes]
        return max((self._deadlines.get(reader, 0.0) for reader in readers), default=0.0) - self._elapsed()

    def _experiment(self, evidence: Evidence, judged: list[Judged], wait: bool) -> tuple[Evidence, list[Judged]]:
        """Make the disturbing experiments one by one, judging after each, because one may need what another showed."""
        made = False
        while True:
            due = self._experiments.next_disturbing(evidence, _passed(judged))
            if due is None:
                break
            made = True
            self._on_update(Progress(tuple(judged), f"experiment {due.mark.name}", due.mark.deadline_s, experiment=due.mark.name))
            evidence = self._experiments.disturb(evidence, due)
            judged = self._judge(evidence, _passed(judged))
            if wait:
                judged = settle_up(judged, self._elapsed())
        if made:
            self._experiments.remember(evidence, judged)
        return evidence, judged

    def _deadline(self, judged: Judged) -> float:
        return self._deadlines.get(judged.id, 0.0)

    def _elapsed(self) -> float:
        return self._engine.monotonic() - self._started


def _passed(judged: list[Judged]) -> set[str]:
    return {one.id for one in judged if one.passed}
