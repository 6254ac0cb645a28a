"""Which checks have to run again, and which experiments are worth making again, after something changed. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from courselab.grade.checker import Checker, CheckFunction, ProbeFunction
from courselab.grade.inject import parameters_of
from courselab.grade.judge import PROBED_KINDS
from courselab.grade.kinds import canonical
from courselab.grade.verdict import Judged, VerdictName


@dataclass(frozen=True)
class Change:
    """What is another than it was when the checks ran last."""

    kinds: frozenset[str] = frozenset()  # kinds of objects of which some changed
    nodes: bool = False  # machines were asked anew
    probes: frozenset[str] = frozenset()  # experiments that were made anew, or whose result does not hold any more
    waited: bool = False  # time has passed

    def __bool__(self) -> bool:
        return bool(self.kinds or self.nodes or self.probes or self.waited)

    def __or__(self, other: Change) -> Change:
        return Change(self.kinds | other.kinds, self.nodes or other.nodes, self.probes | other.probes, self.waited or other.waited)


def affected(checker: Checker, judged: Mapping[str, Judged], change: Change) -> set[str]:
    """Ids of the checks whose verdict may be another now.

    One that has passed runs again when something that it reads changed. One that has not also when something changed that may explain
    it: the way from a Deployment to the event that tells the reason leads through every kind.
    """
    found = {check.mark.id for check in checker.checks if _is_affected(check, judged.get(check.mark.id), change)}
    return checker.needing(found)


def _is_affected(check: CheckFunction, before: Judged | None, change: Change) -> bool:
    if before is None:
        return True
    if change.probes.intersection(check.mark.probes) or (change.nodes and _takes(check, "nodes")):
        return True
    if before.passed:
        return bool(change.kinds & (kinds_read(check) | before.kinds))
    return bool(change.kinds) or change.nodes or (change.waited and before.verdict is VerdictName.WAITING)


def kinds_read(check: CheckFunction) -> frozenset[str]:
    """The kinds that a check declares to read."""
    return frozenset(canonical(kind) for kind in check.mark.reads)


def _takes(check: CheckFunction, argument: str) -> bool:
    return argument in parameters_of(check.function)


def probe_kinds(checker: Checker, probe: ProbeFunction) -> frozenset[str]:
    """The kinds on which an experiment's result depends: those it names, those its checks read, and those every request meets."""
    named = {canonical(reference.partition("/")[0]) for reference in probe.mark.objects}
    read = {kind for check in checker.checks if probe.mark.name in check.mark.probes for kind in kinds_read(check)}
    return frozenset(named | read) | PROBED_KINDS


def probes_to_repeat(checker: Checker, change: Change) -> set[str]:
    """Names of observing experiments that may show something else after this change."""
    observing = [probe for probe in checker.probes if probe.mark.effect == "observe"]
    return {probe.mark.name for probe in observing if change.kinds & probe_kinds(checker, probe)}


def readers(checker: Checker, ids: Iterable[str]) -> set[str]:
    """Names of observing experiments that some of these checks read."""
    wanted = set(ids)
    read = {name for check in checker.checks if check.mark.id in wanted for name in check.mark.probes}
    return {probe.mark.name for probe in checker.probes if probe.mark.effect == "observe" and probe.mark.name in read}
