"""What a watch has done in the background: collecting, asking machines and the API, making experiments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from courselab.errors import LabError
from courselab.grade.collect import NO_WISHES, ask_machine, custom_kinds, redactor_for
from courselab.grade.evidence import Evidence, NodeState, ProbeResult
from courselab.grade.experiments import Cache, Experiments
from courselab.grade.judge import judge
from courselab.grade.kinds import Kind, to_collect
from courselab.grade.kube import Access, Api
from courselab.grade.node_facts import Asked, mark_of, node_state
from courselab.grade.redact import Redactor
from courselab.grade.run import Collector
from courselab.grade.standing import Standing
from courselab.grade.target import Target
from courselab.grade.together import Later

ALIVE_TIMEOUT_S = 5.0


class Gone(Exception):
    """The lab is not there any more; says why."""


@dataclass(frozen=True)
class Collected:
    """Everything, anew."""

    target: Target
    redactor: Redactor
    evidence: Evidence
    access: Access | None  # None: the cluster does not answer
    kinds: dict[Kind, str]  # what can be streamed, and from which version


@dataclass(frozen=True)
class Work:
    """How a watch gets at its lab; see there."""

    aim: Callable[[], Target]
    collector: Collector
    cache: Cache
    bug_folder: Path | None

    def collect(self) -> Collected:
        """As at the beginning of `lab check`: Evidence, with the experiments that only observe. Raises Gone."""
        target = self._target()
        redactor = redactor_for(target)
        evidence = self.collector(target, redactor)
        experiments = self.experiments(target, redactor)
        try:
            evidence = experiments.observe(evidence, set())
            if target.checker.probes:
                pending = experiments.pending(evidence, set(), disturb=False)
                passed = {one.id for one in judge(target.checker, evidence, pending=pending) if one.passed}
                evidence = experiments.observe(evidence, passed)
        finally:
            experiments.close()
        access = Access.from_kubeconfig(target.kubeconfig) if target.kubeconfig and evidence.cluster.reachable else None
        return Collected(target, redactor, evidence, access, _streamable(target, evidence, access) if access else {})

    def experiments(self, target: Target, redactor: Redactor) -> Experiments:
        """Experiments on Evidence that `redactor` cleaned."""
        experiments = Experiments(target, self.cache, contextlib.nullcontext, self.bug_folder)
        experiments.redactor = redactor
        return experiments

    def is_back(self) -> bool:
        """Whether the API answers again. Raises Gone."""
        target = self._target()
        if target.kubeconfig is None:
            return False
        try:
            with contextlib.closing(Api(Access.from_kubeconfig(target.kubeconfig))) as api:
                return bool(api.version())
        except LabError:
            return False

    def _target(self) -> Target:
        try:
            return self.aim()
        except LabError as gone:
            raise Gone(gone.sentences) from gone


def _streamable(target: Target, evidence: Evidence, access: Access) -> dict[Kind, str]:
    """The kinds that were collected, and from which version each can be streamed."""
    kinds, unknown = to_collect(target.checker.reads())
    if unknown:
        with contextlib.closing(Api(access)) as api:
            kinds = [*kinds, *custom_kinds(api, unknown)]
    found = {kind: evidence.cluster.kinds.get(kind.name) for kind in kinds}
    return {kind: lists.version for kind, lists in found.items() if lists is not None and lists.served and lists.version}


@dataclass(frozen=True)
class NodesAsked:
    """What machines said that are not as they were, the marks by which that is noticed, and whether the API answered (if it was asked)."""

    states: dict[str, NodeState]
    marks: dict[str, bytes]
    alive: bool


def ask(standing: Standing, api: Api | None, before: Mapping[str, bytes]) -> NodesAsked:
    """Ask the machines whose mark is another one than `before`, and the API if there is one that should answer."""
    target = standing.target
    asking = {name: Later(partial(_ask_node, target, name, before.get(name, b""))) for name in target.machines}
    alive = api is None or _answers(api)
    found = {name: one.result() for name, one in asking.items()}
    told = {name: said for name, (_, said) in found.items() if said is not None}
    states = {name: node_state(target.machines[name].address, said, standing.live.redactor) for name, said in told.items()}
    return NodesAsked(states, {name: mark for name, (mark, _) in found.items()}, alive)


def _ask_node(target: Target, name: str, before: bytes) -> tuple[bytes, Asked | None]:
    """The machine's mark now, and what it says unless the mark is the one from before. A lab's own @fact functions have no mark."""
    mark = mark_of(target.machines[name], target.lab.file.collect.get(name, NO_WISHES))
    has_facts = any(fact.mark.is_of(name) for fact in target.checker.facts)
    return mark, None if mark and mark == before and not has_facts else ask_machine(target, name)


def _answers(api: Api) -> bool:
    try:
        return bool(api.get("/version", timeout_s=ALIVE_TIMEOUT_S))
    except LabError:
        return False


def probe(standing: Standing, evidence: Evidence, passed: set[str], due: set[str]) -> dict[str, ProbeResult]:
    """What these experiments show."""
    made = standing.experiments.observe(evidence, passed).probes
    return {name: made[name] for name in due if name in made}
