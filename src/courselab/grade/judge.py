"""Judging: each check's function run on Evidence, its outcome made a verdict, and a failure explained. A pure function of Evidence."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from courselab.course.params import Params
from courselab.grade import bugs
from courselab.grade.asserts import failure_of
from courselab.grade.authors import CheckerMistake, Failure, PartialFailure
from courselab.grade.checker import Checker, CheckFunction, in_order
from courselab.grade.cluster import Cluster, ClusterDown
from courselab.grade.dig import Obj
from courselab.grade.evidence import Evidence, cluster_time
from courselab.grade.inject import call
from courselab.grade.nodes import Nodes, ProbeNotRun, Probes
from courselab.grade.record import NotCollected, Record
from courselab.grade.redacted import SecretText, is_redacted
from courselab.grade.settle import leaving, outdated, renewing, settling
from courselab.grade.verdict import Judged, Trouble, VerdictName
from courselab.grade.why import Why, explain
from courselab.grade.world import World, namespace_of, title_of, uid_of

OBJECTS_EXPLAINED = 6
STARTING_S = 30.0  # K3s that became active less than this ago may still be opening its API
JUST_CHANGED_S = 5.0
UNIT_LOG_LINES = 5
# What a request meets on its way: an experiment may show another result when one of these changes.
PROBED_KINDS = frozenset({"Ingress", "Service", "ConfigMap", "Secret", "NetworkPolicy", "Deployment"})
# And one that failed may not have met new endpoints: Traefik takes them over every other second.
MISSED_KINDS = PROBED_KINDS | {"EndpointSlice"}


@dataclass
class _Outcome:
    """What a check's function did."""

    record: Record
    error: BaseException | None = None
    failure: Failure | None = None


def judge(
    checker: Checker,
    evidence: Evidence,
    *,
    pending: Mapping[str, str] | None = None,
    bug_folder: Path | None = None,
    keep: Mapping[str, Judged] | None = None,
) -> list[Judged]:
    """The verdict of every check, in the order of the file. Each check has a deadline.

    `pending`: experiments that were not made, and why. `bug_folder`: where reports about broken checks go. `keep`: verdicts that still
    hold; these checks do not run. Nothing is raised for what checks do.
    """
    return _Judge(checker, evidence, pending or {}, bug_folder).all(keep or {})


class _Judge:
    def __init__(self, checker: Checker, evidence: Evidence, pending: Mapping[str, str], bug_folder: Path | None) -> None:
        self._checker = checker
        self._evidence = evidence
        self._pending = pending
        self._bug_folder = bug_folder
        self._world = World(evidence)
        self._params = params_of(evidence)
        self._now = cluster_time(evidence)

    def all(self, keep: Mapping[str, Judged]) -> list[Judged]:
        outcomes = self._outcomes([check for check in self._checker.checks if check.mark.id not in keep])
        verdicts: dict[str, Judged] = {}
        for check in in_order(self._checker.checks):
            if check.mark.id in keep:
                verdicts[check.mark.id] = keep[check.mark.id]
                continue
            outcome = outcomes[check.mark.id]
            missing = [need for need in check.mark.needs if not verdicts[need].passed]
            verdicts[check.mark.id] = self._blocked(check, outcome, missing) if missing else self._verdict(check, outcome)
        return [verdicts[check.mark.id] for check in self._checker.checks]

    def _run(self, check: CheckFunction) -> _Outcome:
        outcome = _Outcome(Record())
        views = self._views(outcome.record, check.mark.reads, check.mark.probes)
        try:
            call(check.function, views)
        except Failure as failure:
            outcome.failure = _whole(failure)
        except AssertionError as broken:
            outcome.failure = failure_of(broken)
        except BaseException as error:  # also sys.exit(): a check must not end the program
            outcome.error = error
        return outcome

    def _views(self, record: Record, reads: tuple[str, ...] | None, probes: tuple[str, ...] | None) -> dict[str, Any]:
        return {
            "cluster": Cluster(self._world, record, reads),
            "nodes": Nodes(self._world, record),
            "probes": Probes(self._world, record, probes, self._pending),
            "params": self._params,
        }

    def _outcomes(self, checks: list[CheckFunction]) -> dict[str, _Outcome]:
        """Run the checks in a thread of their own; one that does not end is left behind, and the others go on in another thread.

        They only compute, so threads side by side would gain nothing, and starting one costs as much as a check.
        """
        outcomes: dict[str, _Outcome] = {}
        while checks:
            done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
            threading.Thread(target=self._run_all, args=(checks, done), daemon=True).start()
            for place, check in enumerate(checks):
                try:
                    outcomes[check.mark.id] = done.get(timeout=check.mark.deadline_s)
                except queue.Empty:
                    slow = CheckerMistake(f"the check has not ended after {check.mark.deadline_s:g} s")
                    outcomes[check.mark.id] = _Outcome(Record(), error=slow)
                    checks = checks[place + 1 :]
                    break
            else:
                return outcomes
        return outcomes

    def _run_all(self, checks: list[CheckFunction], done: queue.SimpleQueue[_Outcome]) -> None:
        for check in checks:
            done.put(self._run(check))

    # Verdicts -----------------------------------------------------------------------------------------------------------------

    def _verdict(self, check: CheckFunction, outcome: _Outcome) -> Judged:
        if outcome.error is not None:
            return self._error(check, outcome)
        if outcome.failure is None:
            return self._passed(check, outcome)
        if outcome.record.trimmed and not isinstance(outcome.failure, ClusterDown):
            kinds = ", ".join(sorted(outcome.record.trimmed))
            message = f"There are too many objects of kind {kinds} to look at them all. Delete those you do not need, then check again."
            return self._judged(check, outcome, VerdictName.ERROR, message=message, trouble=Trouble.UNREACHABLE)
        if outcome.record.cut and not isinstance(outcome.failure, ClusterDown):
            return self._too_large(check, outcome)
        return self._failed(check, outcome, outcome.failure)

    def _too_large(self, check: CheckFunction, outcome: _Outcome) -> Judged:
        titles = ", ".join(sorted(outcome.record.cut))
        message = f"{titles} is too large to be looked at whole. Make it smaller, then check again."
        return self._judged(check, outcome, VerdictName.ERROR, message=message, trouble=Trouble.UNREACHABLE)

    def _passed(self, check: CheckFunction, outcome: _Outcome) -> Judged:
        """A pass, unless an object on which it stands is about to become another."""
        lasting = leaving if check.mark.settled else outdated
        for obj in outcome.record.objects:
            if waits_for := lasting(self._world, obj):
                return self._held(check, outcome, waits_for, explain(self._world, obj))
        if waits_for := self._just_changed(outcome.record) or self._unsettled_unit(outcome.record):
            return self._held(check, outcome, waits_for, Why())
        return self._judged(check, outcome, VerdictName.PASS, credit=1.0)

    def _held(self, check: CheckFunction, outcome: _Outcome, waits_for: str, why: Why) -> Judged:
        """What would pass, were its state one that lasts: it waits, unless waiting cannot help."""
        return self._judged(
            check,
            outcome,
            VerdictName.FAIL if why.terminal else VerdictName.WAITING,
            message=waits_for,
            expected="a state that lasts",
            actual=waits_for,
            why=tuple(why.lines()),
            diagnosis=why.causes[0].slug if why.causes else "",
            next=why.next,
            waits_for="" if why.terminal else waits_for,
        )

    def _failed(self, check: CheckFunction, outcome: _Outcome, failure: Failure) -> Judged:
        if not failure.explain:
            return self._unexplained(check, outcome, failure)
        why = explain(self._world, *self._subjects(outcome.record, failure))
        slug, sentence = self._diagnose(check, failure)
        waits_for = self._soon_other(outcome.record, failure) or ("" if why.terminal else self._waits_for(outcome.record, failure))
        lines = [*_parts(failure), *(self._unit_lines(outcome.record) if isinstance(failure, ClusterDown) else why.lines())]
        cause = why.causes[0].slug if why.causes else ""
        return self._judged(
            check,
            outcome,
            VerdictName.WAITING if waits_for else VerdictName.FAIL,
            credit=failure.credit,
            message=sentence or failure.message or str(failure),
            plain=not (sentence or failure.message),
            subject=_subject(failure),
            about=tuple(uid_of(obj) for obj in _objects(failure.about)),
            expected=failure.expected,
            actual=failure.actual,
            path=failure.path,
            why=tuple(lines),
            diagnosis=slug or cause,
            next=failure.next or why.next,
            waits_for=waits_for,
        )

    def _unexplained(self, check: CheckFunction, outcome: _Outcome, failure: Failure) -> Judged:
        """A failure whose cause is for the student to find."""
        return self._judged(
            check,
            outcome,
            VerdictName.FAIL,
            message=failure.message or str(failure),
            expected=failure.expected,
            actual=failure.actual,
            path=failure.path,
            next=failure.next,
        )

    def _error(self, check: CheckFunction, outcome: _Outcome) -> Judged:
        error = outcome.error
        assert error is not None
        if isinstance(error, ProbeNotRun):
            return self._judged(check, outcome, VerdictName.BLOCKED, message=error.why)
        if isinstance(error, NotCollected):
            return self._judged(check, outcome, VerdictName.ERROR, message=str(error), trouble=Trouble.UNREACHABLE)
        if outcome.record.cut and isinstance(error, LookupError):  # what the check reads without asking may be in the part that is gone
            return self._too_large(check, outcome)
        report = bugs.write_bug(self._bug_folder, check.mark.id, error, self._evidence) if self._bug_folder else None
        where = f" A report is in {report}." if report else ""
        message = f"The check itself broke, this is not your fault: {bugs.in_one_line(error, self._checker.path)}.{where}"
        return self._judged(check, outcome, VerdictName.ERROR, message=message, trouble=Trouble.OURS)

    def _blocked(self, check: CheckFunction, outcome: _Outcome, missing: list[str]) -> Judged:
        return self._judged(check, outcome, VerdictName.BLOCKED, message=f"needs {', '.join(missing)} first")

    @staticmethod
    def _judged(check: CheckFunction, outcome: _Outcome, verdict: VerdictName, **values: Any) -> Judged:
        record = outcome.record
        return Judged(
            id=check.mark.id,
            verdict=verdict,
            kinds=frozenset(record.kinds),
            reads_nodes=bool(record.units or record.settling),
            probes=frozenset(record.probes),
            **values,
        )

    # Explaining ---------------------------------------------------------------------------------------------------------------

    def _diagnose(self, check: CheckFunction, failure: Failure) -> tuple[str, str]:
        """The first typical mistake that is recognised: its slug and sentence."""
        for diagnosis in self._checker.diagnoses:
            if diagnosis.mark.check != check.mark.id:
                continue
            views = self._views(Record(), None, None)
            try:
                sentence = call(diagnosis.function, {**views, "failure": failure})
            except (Failure, AssertionError, NotCollected, ProbeNotRun):
                continue  # what it looked for is not there, so it is not this mistake
            except Exception as error:
                if self._bug_folder:
                    bugs.write_bug(self._bug_folder, f"{check.mark.id}-{diagnosis.mark.slug}", error, self._evidence)
                continue
            if sentence:
                return diagnosis.mark.slug, str(sentence)
        return "", ""

    def _subjects(self, record: Record, failure: Failure) -> list[Obj]:
        """The objects that may explain a failure: what it is about, else what was read last, by name before in lists."""
        about = _objects(failure.about)
        return (about or list(reversed(record.objects)) or record.listed)[:OBJECTS_EXPLAINED]

    def _soon_other(self, record: Record, failure: Failure) -> str:
        """What makes the present causes those of before: something on its way on a machine, or a HelmChart that is about to have a new Job."""
        charts = (renewing(self._world, obj) for obj in _looked_at(record, failure))
        return next(iter(record.settling), "") or next(filter(None, charts), "")

    def _waits_for(self, record: Record, failure: Failure) -> str:
        """What is still settling among all the check looked at; "" if the failure is there to stay."""
        for obj in _looked_at(record, failure):
            if sentence := settling(self._world, obj):
                return sentence
        return self._just_changed(record, MISSED_KINDS) or self._unsettled_unit(record)

    def _just_changed(self, record: Record, kinds: frozenset[str] = PROBED_KINDS) -> str:
        """What an experiment may not have met yet: a request follows a change of these kinds a moment later, and nothing says when.

        All objects of the kinds that the check read count, its own namespaces or not: an Ingress elsewhere may serve the same host.
        """
        disturbing = {probe.mark.name for probe in self._checker.probes if probe.mark.effect == "disturb"}  # they do their own waiting
        for kind in sorted(record.kinds & kinds) if record.probes - disturbing else []:
            found = self._evidence.cluster.kinds[kind]
            for obj in found.items:
                changed = found.changed.get(uid_of(obj))
                young = changed is not None and self._now - changed < JUST_CHANGED_S
                if young and namespace_of(obj) != "kube-system":
                    return f"{title_of(obj)} has just been changed"
        return ""

    def _unsettled_unit(self, record: Record) -> str:
        for machine, name in record.units:
            node = self._evidence.nodes[machine]
            unit = node.units.get(name)
            if unit is None:
                continue
            if unit.active in ("activating", "deactivating", "reloading") and unit.sub != "auto-restart":
                return f"unit {name} on machine {machine} is {unit.active}"
            young = unit.since is not None and node.time - unit.since < STARTING_S
            if not self._evidence.cluster.reachable and unit.active == "active" and young:
                return f"K3s on machine {machine} has just started"
        return ""

    def _unit_lines(self, record: Record) -> list[str]:
        lines = [self._evidence.cluster.why] if self._evidence.cluster.why else []
        for machine, name in record.units:
            unit = self._evidence.nodes[machine].units.get(name)
            if unit is not None:
                state = f"unit {name} on machine {machine}: {unit.active} ({unit.sub})"
                restarts = f", restarted {unit.restarts} times" if unit.restarts else ""
                ended = f", ended with code {unit.exit_code}" if unit.exit_code else ""
                telling = [line for line in unit.log if "remains running after unit stopped" not in line]
                lines += [f"{state}{restarts}{ended}", *(f"log: {line}" for line in telling[-UNIT_LOG_LINES:])]
        return lines


def params_of(evidence: Evidence) -> Params:
    """The student's values as checks read them; those that are secret compare through their hashes."""
    return Params({name: SecretText(value) if is_redacted(value) else value for name, value in evidence.params.items()})


def _whole(failure: Failure) -> Failure:
    """A failure with expected and actual also where a part of it came from a plain assert."""
    if isinstance(failure, PartialFailure) and isinstance(failure.first, AssertionError):
        part = failure_of(failure.first)
        failure.expected, failure.actual = failure.expected or part.expected, failure.actual or part.actual
    return failure


def _parts(failure: Failure) -> list[str]:
    """The reason for each part of a partly done task."""
    if not isinstance(failure, PartialFailure):
        return []
    return [f"{'done' if part.failure is None else 'not yet'}: {part.title}" for part in failure.parts]


def _looked_at(record: Record, failure: Failure) -> list[Obj]:
    """What a failure is about, then what the check looked at, the last one first."""
    seen: dict[str, Obj] = {}
    for obj in (*_objects(failure.about), *reversed(record.objects), *record.listed):
        seen.setdefault(uid_of(obj) or str(id(obj)), obj)
    return list(seen.values())[:100]


def _subject(failure: Failure) -> str:
    about = _objects(failure.about)
    return title_of(about[0]) if len(about) == 1 else ""


def _objects(about: Any) -> list[Obj]:
    if isinstance(about, dict):
        return [cast("Obj", about)] if "metadata" in about else []
    if isinstance(about, (list, tuple)):
        return [found for item in cast("list[Any]", about) for found in _objects(item)]
    return []
