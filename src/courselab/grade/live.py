"""Evidence that is kept up to date: what was collected once, with what streams and machines have told since."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from courselab.grade.affected import Change
from courselab.grade.collect import OBJECTS_PER_KIND, RECENT_S, changed_at, cleaned, cleaned_log, logs_wanted
from courselab.grade.dig import Obj, dig, rows, text
from courselab.grade.evidence import ContainerLog, Evidence, KindList, NodeState, ProbeResult, cluster_time
from courselab.grade.kinds import Kind
from courselab.grade.redact import Redactor
from courselab.grade.world import name_of, namespace_of, uid_of

Wanted = tuple[Obj, str, bool]  # a pod, one of its containers, and whether the log of its run before is meant


@dataclass
class _Objects:
    """One kind's list."""

    about: KindList
    items: dict[tuple[str, str], Obj]
    changed: dict[str, float]
    cut: set[str]  # uids of objects that are not whole
    fresh: bool = False  # `about` does not say what `items` and `changed` do

    @classmethod
    def of(cls, found: KindList) -> _Objects:
        return cls(found, {_key(obj): obj for obj in found.items}, dict(found.changed), set(found.cut))

    def listed(self) -> KindList:
        if self.fresh:
            items = [self.items[key] for key in sorted(self.items)]  # in the order in which the API lists them
            self.about = msgspec.structs.replace(self.about, items=items, changed=dict(self.changed), cut=sorted(self.cut))
            self.fresh = False
        return self.about


@dataclass
class Live:
    """What is known now. Not for several threads."""

    base: Evidence
    redactor: Redactor  # the one that took the secrets out of `base`
    monotonic: Callable[[], float] = time.monotonic
    probes: dict[str, ProbeResult] = field(default_factory=dict[str, ProbeResult])

    def __post_init__(self) -> None:
        self._kinds = {name: _Objects.of(found) for name, found in self.base.cluster.kinds.items()}
        self._nodes = dict(self.base.nodes)
        self._began = self.monotonic()
        self._asked = dict.fromkeys(self.base.nodes, self._began)  # when each machine was
        self._logs = list(self.base.cluster.logs)
        self._logs_of = _log_keys(self._pods())
        self.outdated = False  # a new secret may stand in what was taken for free text before: only collecting anew takes it out

    def apply(self, kind: Kind, type_: str, obj: Obj) -> Change:
        """Take over what a stream told of an object; what that changes. `obj` is the API's own, and is cleaned."""
        lists = self._kinds.get(kind.name)
        if lists is None or not isinstance(obj.get("metadata"), dict):
            return Change()
        key, when = _key(obj), changed_at(obj)
        before = lists.items.get(key)
        if type_ == "DELETED":
            if before is None:
                return Change()
            del lists.items[key]
            lists.changed.pop(uid_of(obj), None)
            lists.cut.discard(uid_of(obj))
        else:
            if before is None and (lists.about.trimmed or len(lists.items) >= OBJECTS_PER_KIND):
                return Change()  # there were too many already: the next list says how many
            self.outdated |= kind.name == "Secret" and self.redactor.learn_secrets([obj])
            cuts = self.redactor.cuts
            after = cleaned(kind, obj, self.redactor)
            (lists.cut.add if self.redactor.cuts > cuts else lists.cut.discard)(uid_of(obj))
            lists.items[key] = after
            if before is not None and _same(before, after):
                lists.fresh = True
                return Change()
            lists.changed = {uid: at for uid, at in lists.changed.items() if self.now() - at < RECENT_S} | {uid_of(obj): when}
        lists.fresh = True
        return Change(kinds=frozenset({kind.name}))

    def take_nodes(self, states: Mapping[str, NodeState]) -> Change:
        """Take over what some machines said."""
        self._nodes |= states
        self._asked |= dict.fromkeys(states, self.monotonic())
        return Change(nodes=True)

    def take_logs(self, logs: list[ContainerLog]) -> Change:
        """Take over last lines of containers; they explain what pods do."""
        logs = [cleaned_log(log, self.redactor) for log in logs]
        changed = logs != self._logs
        self._logs = logs
        return Change(kinds=frozenset({"Pod"})) if changed else Change()

    def logs_due(self, *, again: bool = False) -> list[Wanted] | None:
        """The containers whose last lines are worth reading now; None if those that were read say it, unless `again`."""
        keys = _log_keys(self._pods())
        if keys == self._logs_of and not (again and keys):
            return None
        self._logs_of = keys
        return logs_wanted(self._pods())

    def now(self) -> float:
        """The time by the machines' clock, Unix seconds."""
        return cluster_time(self.base) + self.monotonic() - self._began

    def evidence(self) -> Evidence:
        """Everything that is known, dated now."""
        cluster = msgspec.structs.replace(
            self.base.cluster, kinds={name: found.listed() for name, found in self._kinds.items()}, logs=self._logs
        )
        now = self.monotonic()
        nodes = {
            name: msgspec.structs.replace(one, time=one.time + now - self._asked[name]) if one.time else one
            for name, one in self._nodes.items()
        }
        collected = self.base.collected + now - self._began
        return msgspec.structs.replace(self.base, cluster=cluster, nodes=nodes, probes=dict(self.probes), collected=collected)

    def _pods(self) -> list[Obj]:
        return list(self._kinds["Pod"].items.values()) if "Pod" in self._kinds else []


def _key(obj: Obj) -> tuple[str, str]:
    return namespace_of(obj), name_of(obj)


def _same(before: Obj, after: Obj) -> bool:
    """Whether nothing but the version of an object has changed."""
    version: Any = dig(after, "metadata", "resourceVersion")
    return before | {"metadata": before["metadata"] | {"resourceVersion": version}} == after


def _log_keys(pods: list[Obj]) -> set[tuple[str, str, bool, int]]:
    """What a container's log belongs to: another run of it has another one."""
    keys: set[tuple[str, str, bool, int]] = set()
    for pod, container, previous in logs_wanted(pods):
        statuses = [*rows(pod, "status", "initContainerStatuses"), *rows(pod, "status", "containerStatuses")]
        restarts = next((int(one.get("restartCount") or 0) for one in statuses if text(one, "name") == container), 0)
        keys.add((uid_of(pod), container, previous, restarts))
    return keys
