"""Collecting Evidence: the cluster's lists and every machine's facts, at the same time, each with its own deadline."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

import courselab
from courselab.course.model import Collect
from courselab.errors import LabError
from courselab.grade.dig import Obj, dig, rows, table, text
from courselab.grade.evidence import SCHEMA, ClusterState, ContainerLog, Evidence, KindList, Missing, NodeState
from courselab.grade.kinds import ALWAYS, KNOWN, Kind, to_collect
from courselab.grade.kube import Access, Api, ApiDown, ApiRefused, Page
from courselab.grade.node_facts import Asked, ask_node, node_state
from courselab.grade.redact import Redactor, is_secret_name
from courselab.grade.target import Target
from courselab.grade.together import Later, together
from courselab.grade.world import name_of, namespace_of, uid_of, unix_time

OBJECTS_PER_KIND = 1000
LISTS_AT_ONCE = 6
KIND_LIMIT_BYTES = 16 * 1024 * 1024
LOGS_AT_MOST = 12
LOG_LINES = 20
RECENT_S = 60.0
_LOG_BYTES = 16 * 1024
NO_WISHES = Collect()


@dataclass
class _Asked:
    """The cluster's own words, not yet cleaned of secrets."""

    reachable: bool = False
    why: str = ""
    version: str = ""
    pages: dict[Kind, Page | None] = field(default_factory=dict[Kind, "Page | None"])  # None: the cluster has no such kind
    logs: list[ContainerLog] = field(default_factory=list[ContainerLog])
    missing: list[Missing] = field(default_factory=list[Missing])


def collect(target: Target, redactor: Redactor | None = None, *, clock: Callable[[], float] = time.time) -> Evidence:
    """Everything that is known about the lab now, without experiments. Takes as long as the slowest part, at most its deadline.

    `redactor` (a new one of redactor_for) learns the lab's secrets, so that it can clean the results of later experiments too.
    Raises nothing for what machines or the cluster do: what could not be had is named in the Evidence.
    """
    started, timer = clock(), time.monotonic()
    nodes = {name: Later(partial(ask_machine, target, name)) for name in target.machines}
    asked = _ask_cluster(target)
    answers = {name: node.result() for name, node in nodes.items()}
    redactor = redactor or redactor_for(target)
    redactor.learn_secrets(obj for kind, page in asked.pages.items() if kind.name == "Secret" and page for obj in page.items)
    states = {name: node_state(target.machines[name].address, answer, redactor) for name, answer in answers.items()}
    now = next((state.time for state in states.values() if state.time), started)  # objects are dated by the machines' clock
    cluster = _cluster_state(target, asked, states, redactor, now)
    return Evidence(
        schema=SCHEMA,
        lab=target.lab.chapter,
        student=target.student,
        provider=target.provider,
        k3s=target.k3s,
        course=courselab.__version__,
        collected=started,
        params=redactor.mapping(target.params),
        cluster=cluster,
        nodes=states,
        missing=[*asked.missing, *(Missing(what=f"nodes/{name}", why=state.why) for name, state in states.items() if not state.reachable)],
        trimmed=[*redactor.trimmed, *(f"{kind}: {found.trimmed} more objects" for kind, found in cluster.kinds.items() if found.trimmed)],
        seconds=round(time.monotonic() - timer, 3),
    )


def redactor_for(target: Target) -> Redactor:
    """What takes secrets out of this lab's Evidence. Parameters whose name says secret are taken as such wherever they turn up."""
    secret = {name for name in target.params if is_secret_name(name)}
    redactor = Redactor(target.key, public=[value for name, value in target.params.items() if name not in secret])
    for name in secret:
        redactor.learn(target.params[name])
    return redactor


def ask_machine(target: Target, name: str) -> Asked:
    """What machine `name` of the lab says about itself. Raises nothing for what the machine does."""
    facts = [fact for fact in target.checker.facts if fact.mark.is_of(name)]
    return ask_node(target.machines[name], target.lab.file.collect.get(name, NO_WISHES), facts, target.params)


def _ask_cluster(target: Target) -> _Asked:
    asked = _Asked()
    if target.kubeconfig is None:
        asked.why = "There is no kubeconfig: K3s is not installed, or has never started."
        return asked
    try:
        with contextlib.closing(Api(Access.from_kubeconfig(target.kubeconfig))) as api:
            asked.version = api.version()
            asked.reachable = True
            _ask_lists(target, api, asked)
            pods = asked.pages.get(KNOWN["Pod"])
            wanted = logs_wanted(pods.items if pods else [])
            asked.logs = read_logs(api, wanted)
    except LabError as silent:
        asked.why = silent.sentences
    return asked


def _ask_lists(target: Target, api: Api, asked: _Asked) -> None:
    kinds, unknown = to_collect(target.checker.reads())
    if unknown:
        kinds = [*kinds, *custom_kinds(api, unknown)]
    results = together([partial(_list, api, kind) for kind in kinds], at_once=LISTS_AT_ONCE)
    for kind, result in zip(kinds, results, strict=True):
        if isinstance(result, LabError):
            asked.missing.append(Missing(what=f"cluster/{kind.name}", why=result.sentences))
            if isinstance(result, ApiDown) and kind in ALWAYS:
                asked.reachable, asked.why = False, f"It stopped answering while it was asked. {result.why}"
        else:
            asked.pages[kind] = result
    for name in unknown:
        if name not in {kind.name for kind in asked.pages}:
            asked.pages[Kind(name, "", "")] = None


def _list(api: Api, kind: Kind) -> Page | LabError | None:
    try:
        return api.list(kind.path(), limit=OBJECTS_PER_KIND)
    except ApiRefused as refused:
        return None if refused.status == 404 else refused
    except ApiDown as down:
        return down


def custom_kinds(api: Api, names: Sequence[str]) -> list[Kind]:
    """Kinds that only a CustomResourceDefinition of the cluster can explain."""
    try:
        definitions = api.list(KNOWN["CustomResourceDefinition"].path(), limit=OBJECTS_PER_KIND).items
    except LabError:
        return []
    found: list[Kind] = []
    for definition in definitions:
        name = text(definition, "spec", "names", "kind")
        served = [text(version, "name") for version in rows(definition, "spec", "versions") if version.get("served")]
        if name in names and served:
            group, plural = text(definition, "spec", "group"), text(definition, "spec", "names", "plural")
            found.append(Kind(name, f"{group}/{served[-1]}", plural, text(definition, "spec", "scope") == "Namespaced"))
    return found


def logs_wanted(pods: Iterable[Obj]) -> list[tuple[Obj, str, bool]]:
    """Containers whose last lines explain something: (pod, container, of the run before). Takes objects as they are, or cleaned."""
    wanted: list[tuple[Obj, str, bool]] = []
    for pod in pods:
        for status in (*rows(pod, "status", "initContainerStatuses"), *rows(pod, "status", "containerStatuses")):
            state, last = table(status, "state"), table(status, "lastState")
            if "terminated" in state:
                wanted += [(pod, text(status, "name"), False)] if dig(state, "terminated", "exitCode") else []
            elif "terminated" in last and not status.get("ready"):
                wanted.append((pod, text(status, "name"), True))
            elif "running" in state and not status.get("ready"):
                wanted.append((pod, text(status, "name"), False))
    # The learner's own namespaces first: kube-system's troubles are seldom what is asked about.
    wanted.sort(key=lambda found: namespace_of(found[0]) == "kube-system")
    return wanted[:LOGS_AT_MOST]


def read_logs(api: Api, wanted: Sequence[tuple[Obj, str, bool]]) -> list[ContainerLog]:
    """The last lines of these containers, not yet cleaned of secrets, as far as they can be had."""
    logs = together([partial(_read_log, api, *one) for one in wanted], at_once=LISTS_AT_ONCE)
    return [log for log in logs if log is not None]


def _read_log(api: Api, pod: Obj, container: str, previous: bool) -> ContainerLog | None:
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/log"
    query = {"container": container, "tailLines": LOG_LINES, "limitBytes": _LOG_BYTES, "previous": "true" if previous else "false"}
    try:
        data = api.request("GET", path, query, timeout_s=3.0, limit_bytes=4 * _LOG_BYTES)
    except LabError:
        return None
    lines = data.decode("utf-8", "replace").splitlines()[-LOG_LINES:]
    return ContainerLog(namespace=namespace_of(pod), pod=name_of(pod), container=container, lines=lines, previous=previous)


def _cluster_state(target: Target, asked: _Asked, nodes: dict[str, NodeState], redactor: Redactor, now: float) -> ClusterState:
    servers = [name for name in target.lab.servers if name in nodes] or list(nodes)
    answered = any(nodes[name].reachable for name in servers)
    return ClusterState(
        reachable=asked.reachable,
        why=redactor.text(asked.why),
        asked=asked.reachable or answered,
        version=asked.version,
        kinds={kind.name: _kind_list(kind, page, redactor, now) for kind, page in asked.pages.items()},
        logs=[cleaned_log(log, redactor) for log in asked.logs],
    )


def cleaned_log(log: ContainerLog, redactor: Redactor) -> ContainerLog:
    """The same log without secrets."""
    return msgspec.structs.replace(log, lines=[redactor.text(line, 2000) for line in log.lines])


def _kind_list(kind: Kind, page: Page | None, redactor: Redactor, now: float) -> KindList:
    if page is None:
        return KindList(api=kind.api, namespaced=kind.namespaced, served=False)
    items: list[dict[str, Any]] = []
    changed: dict[str, float] = {}
    cut: list[str] = []
    room, left = KIND_LIMIT_BYTES, page.more
    for obj in page.items:
        if room <= 0:
            left += 1
            continue
        cuts = redactor.cuts
        if isinstance(obj.get("metadata"), dict):
            when = changed_at(obj)
            if now - when < RECENT_S:
                changed[uid_of(obj)] = when
            items.append(cleaned(kind, obj, redactor))
            room -= len(msgspec.json.encode(obj))
            if redactor.cuts > cuts:
                cut.append(uid_of(obj))
    return KindList(api=kind.api, namespaced=kind.namespaced, items=items, trimmed=left, cut=cut, version=page.version, changed=changed)


def cleaned(kind: Kind, obj: Obj, redactor: Redactor) -> Obj:
    """An object of a list as Evidence has it: named, without secrets and managedFields. Changes and returns `obj`."""
    obj["apiVersion"], obj["kind"] = kind.api, kind.name
    return redactor.object(obj)


def changed_at(obj: Obj) -> float:
    """When something else than the status of an object last changed, Unix seconds."""
    times = [text(entry, "time") for entry in rows(obj, "metadata", "managedFields") if not entry.get("subresource")]
    return max((unix_time(time) for time in times), default=0.0)
