"""Making the experiments (probes) of a lab: which may run when, running them, and reusing what a disturbing one showed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from courselab.course.params import Params
from courselab.errors import LabError
from courselab.grade import bugs
from courselab.grade.authors import Failure
from courselab.grade.checker import ProbeFunction
from courselab.grade.cluster import Cluster
from courselab.grade.collect import redactor_for
from courselab.grade.dig import Obj, table
from courselab.grade.evidence import Evidence, ProbeResult
from courselab.grade.inject import call
from courselab.grade.kinds import canonical
from courselab.grade.kube import Access, Api
from courselab.grade.nodes import Nodes
from courselab.grade.record import NotCollected, Record
from courselab.grade.settle import leaving
from courselab.grade.target import Target
from courselab.grade.together import Later, together
from courselab.grade.toolbox import CLEAN_UP_S, Lab, OutOfTime
from courselab.grade.verdict import Judged
from courselab.grade.why import explain
from courselab.grade.world import World, uid_of

RESULT_LIMIT_BYTES = 64 * 1024
OBSERVED_AT_ONCE = 8
Cache = MutableMapping[str, Any]
Lock = Callable[[], AbstractContextManager[Any]]


class Experiments:
    """The probes of one check run."""

    def __init__(self, target: Target, cache: Cache, lock: Lock, bug_folder: Path | None) -> None:
        self._target = target
        self._bug_folder = bug_folder
        self.redactor = redactor_for(target)  # the one that took the secrets out of the Evidence at hand
        self._cache = cache
        self._lock = lock
        self._api: Api | None = None

    def observe(self, evidence: Evidence, passed: set[str]) -> Evidence:
        """The Evidence with every observing probe that was not made yet and whose needed checks have passed."""
        due = [probe for probe in self._due(evidence, passed) if probe.mark.effect == "observe"]
        if not due:
            return evidence
        results = together([partial(self._run, probe, evidence) for probe in due], at_once=OBSERVED_AT_ONCE)
        return with_probes(evidence, {probe.mark.name: result for probe, result in zip(due, results, strict=True)})

    def recall(self, evidence: Evidence) -> Evidence:
        """The Evidence with earlier results of disturbing probes that still hold."""
        kept: dict[str, ProbeResult] = {}
        for probe in self._target.checker.probes:
            earlier = table(self._cache.get(probe.mark.name))
            if probe.mark.effect == "disturb" and earlier and earlier.get("objects") == self._identity(probe, evidence):
                with contextlib.suppress(msgspec.ValidationError):
                    kept[probe.mark.name] = msgspec.structs.replace(msgspec.convert(earlier.get("result"), ProbeResult), reused=True)
        return with_probes(evidence, kept) if kept else evidence

    def next_disturbing(self, evidence: Evidence, passed: set[str]) -> ProbeFunction | None:
        """The next disturbing probe that was not made yet and whose needed checks have passed."""
        return next((probe for probe in self._due(evidence, passed) if probe.mark.effect == "disturb"), None)

    def unrest(self, probe: ProbeFunction, evidence: Evidence) -> str:
        """What a disturbing probe should wait for: an object it is about that is on its way to another state; "" if it never gets there."""
        world = World(evidence)
        for obj in filter(None, self._objects(probe, world)):
            if (found := leaving(world, obj)) and not explain(world, obj).terminal:
                return found
        return ""

    def disturb(self, evidence: Evidence, probe: ProbeFunction) -> Evidence:
        """Make a disturbing probe, under the lab's lock; the Evidence with its result."""
        with self._lock():
            result = self._run(probe, evidence)
        return with_probes(evidence, {probe.mark.name: result})

    def remember(self, evidence: Evidence, judged: list[Judged]) -> None:
        """Keep results of disturbing probes with which every check that reads them passed."""
        for probe in self._target.checker.probes:
            name = probe.mark.name
            readers = [one for one in judged if name in one.probes]
            if probe.mark.effect == "disturb" and name in evidence.probes and readers and all(one.passed for one in readers):
                result = msgspec.to_builtins(evidence.probes[name])
                self._cache[name] = {"objects": self._identity(probe, evidence), "result": {**result, "reused": False}}

    def pending(self, evidence: Evidence, passed: set[str], *, disturb: bool) -> dict[str, str]:
        """Why probes that were not made were not."""
        reasons: dict[str, str] = {}
        for probe in self._target.checker.probes:
            missing = [need for need in probe.mark.needs if need not in passed]
            if probe.mark.name in evidence.probes:
                continue
            if missing:
                reasons[probe.mark.name] = f"needs {', '.join(missing)} first"
            elif probe.mark.effect == "disturb" and not disturb:
                reasons[probe.mark.name] = "needs an experiment that changes the lab for a moment: only `lab check` makes it"
            else:
                reasons[probe.mark.name] = "waits for an experiment"
        return reasons

    def close(self) -> None:
        """Let go of the connection to the cluster."""
        if self._api is not None:
            self._api.close()

    def _due(self, evidence: Evidence, passed: set[str]) -> list[ProbeFunction]:
        if not evidence.cluster.reachable:
            return []
        probes = self._target.checker.probes
        return [probe for probe in probes if probe.mark.name not in evidence.probes and passed.issuperset(probe.mark.needs)]

    def _identity(self, probe: ProbeFunction, evidence: Evidence) -> list[Any]:
        """Uid and generation of the objects that a probe names; None for one that is not there."""
        found = self._objects(probe, World(evidence))
        return [[uid_of(obj), obj["metadata"].get("generation", 0)] if obj else None for obj in found]

    def _objects(self, probe: ProbeFunction, world: World) -> list[Obj | None]:
        """The objects that a probe names; None for one that is not there."""
        params = Params(self._target.params)
        ways = [params.fill(reference).split("/") for reference in probe.mark.objects]
        return [world.find(canonical(kind), way[-1], way[0] if len(way) > 1 else "") for kind, *way in ways]

    def _run(self, probe: ProbeFunction, evidence: Evidence) -> ProbeResult:
        try:
            lab = Lab(self._connect(), self._target.machines, deadline_s=probe.mark.deadline_s)
        except LabError as unusable:
            return ProbeResult(error=unusable.sentences, at=time.time())
        running = Later(partial(self._call, probe, evidence, lab), probe.mark.name)
        limit = probe.mark.deadline_s + CLEAN_UP_S
        try:
            return running.result(limit)
        except TimeoutError:
            return ProbeResult(error=f"it has not ended after {limit:g} s", at=time.time())
        except KeyboardInterrupt:
            lab.stop()  # what it changed is put back before the program ends
            running.result(CLEAN_UP_S)
            raise

    def _call(self, probe: ProbeFunction, evidence: Evidence, lab: Lab) -> ProbeResult:
        try:
            result = self._outcome(probe, evidence, lab)
        finally:
            broken = lab.clean_up()
        if broken:
            said = "; ".join(f"{type(error).__name__}: {error}" for error in broken)
            return ProbeResult(error=f"what it changed could not be put back: {said}", at=time.time())
        return result

    def _outcome(self, probe: ProbeFunction, evidence: Evidence, lab: Lab) -> ProbeResult:
        world, redactor, params = World(evidence), self.redactor, Params(self._target.params)
        views = {"lab": lab, "cluster": Cluster(world, Record(), None), "nodes": Nodes(world, Record()), "params": params}
        try:
            result = call(probe.function, views)
            if len(json.dumps(result)) > RESULT_LIMIT_BYTES:
                return ProbeResult(error=f"it returned more than {RESULT_LIMIT_BYTES >> 10} KiB", at=time.time())
            return ProbeResult(result=redactor.value(result), at=time.time())
        except Failure as failure:
            said = {key: redactor.text(getattr(failure, key)) for key in ("message", "expected", "actual", "path", "next")}
            return ProbeResult(failure=said, at=time.time())
        except LabError as failed:
            return ProbeResult(error=redactor.text(failed.sentences), at=time.time())
        except (NotCollected, OutOfTime) as failed:
            return ProbeResult(error=redactor.text(str(failed)), at=time.time())
        except Exception as error:
            report = bugs.write_bug(self._bug_folder, probe.mark.name, error, evidence) if self._bug_folder else None
            where = f" (report: {report})" if report else ""
            said = redactor.text(bugs.in_one_line(error, self._target.checker.path))
            return ProbeResult(error=f"{said}{where}", ours=True, at=time.time())

    def _connect(self) -> Api | None:
        if self._api is None and self._target.kubeconfig is not None:
            self._api = Api(Access.from_kubeconfig(self._target.kubeconfig))
        return self._api


def with_probes(evidence: Evidence, results: Mapping[str, ProbeResult]) -> Evidence:
    """The same Evidence with these results added."""
    return msgspec.structs.replace(evidence, probes={**evidence.probes, **results})
