"""A cluster on paper: objects as the controllers of a real one would leave them, for checks to judge."""

from __future__ import annotations

import copy
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.course.model import Collect, Role
from courselab.course.params import Params
from courselab.grade.checker import Checker, load_checker
from courselab.grade.evidence import (
    SCHEMA,
    ClusterState,
    ContainerLog,
    Evidence,
    FileState,
    K3sState,
    KindList,
    NodeState,
    ProbeResult,
    UnitState,
)
from courselab.grade.judge import judge
from courselab.grade.kinds import KNOWN, to_collect
from courselab.grade.redact import Redactor
from courselab.grade.redacted import redact
from courselab.grade.verdict import Judged
from courselab.safe_yaml import LOADER

COURSE = Path(__file__).parents[3]
KEY = "a lab's key"
Obj = dict[str, Any]


def objects(text: str, params: Params) -> list[Obj]:
    """YAML with {parameters}, as objects."""
    return copy.deepcopy(_parsed(params.fill(text)))


@functools.cache
def _parsed(text: str) -> list[Obj]:
    """The same few texts are read thousands of times."""
    return [obj for obj in yaml.load_all(text, Loader=LOADER) if obj]


@functools.cache
def chapter_of(chapter: str) -> tuple[Lab, Checker]:
    """A chapter's lab and checker, read once for all tests: both are frozen."""
    lab = load_lab(next((COURSE / "labs").glob(f"{chapter}-*")))
    return lab, load_checker(COURSE / "checkers" / f"ch{chapter}.py", lab)


class FakeCluster:
    """Objects and files of one lab, and its judgement."""

    def __init__(self, chapter: str, seed: str = "test") -> None:
        self.lab, self.checker = chapter_of(chapter)
        self.params = Params.draw(self.lab, seed)
        self.objects: list[Obj] = []
        self.files: dict[str, FileState] = {path: FileState(exists=False) for path in self.lab.file.collect.get("server", Collect()).files}
        self.facts: dict[str, Any] = {}
        self.time, self.address = 0.0, ""  # of the server, where a test needs its own
        self.probes: dict[str, ProbeResult] = {}
        self.reachable = True
        self.config: dict[str, Any] = {}  # K3s's
        self.logs: list[ContainerLog] = []
        self._uids = itertools.count(1)
        self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        self.machines = {name: _machine(name, number, need.role) for number, (name, need) in enumerate(self.lab.file.machines.items())}
        for name, need in self.lab.file.machines.items():
            if need.role is not Role.NONE:
                self.join(name)

    def join(self, name: str, **labels: str) -> Obj:
        """A machine's node, as it is when it has joined."""
        images = [f"docker.io/{name}" for name in self.lab.file.images]
        role = {"node-role.kubernetes.io/control-plane": "true"} if self.lab.file.machines[name].role is Role.SERVER else {}
        return self.add(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **role, **labels}},
                "spec": {},
                "status": {
                    "images": [{"names": images}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "addresses": [{"type": "InternalIP", "address": self.machines[name].address}, {"type": "Hostname", "address": name}],
                },
            }
        )

    def add(self, obj: Obj, **metadata: Any) -> Obj:
        """Put an object in, as the API server would: with a uid and its namespace."""
        obj = copy.deepcopy(obj)
        obj["metadata"] = {**obj["metadata"], **metadata}
        obj["metadata"].setdefault("uid", f"uid-{next(self._uids)}")
        obj["metadata"].setdefault("generation", 1)
        if KNOWN[obj["kind"]].namespaced:
            obj["metadata"].setdefault("namespace", "default")
        self.objects.append(obj)
        return obj

    def apply(self, text: str) -> list[Obj]:
        """Put in what a YAML text describes; workloads run."""
        return [self.run(obj) if obj["kind"] in ("Deployment", "StatefulSet") else self.add(obj) for obj in objects(text, self.params)]

    def find(self, kind: str, name: str, namespace: str | None = None) -> Obj:
        """An object, to be changed."""
        return next(
            obj
            for obj in self.objects
            if obj["kind"] == kind and obj["metadata"]["name"] == name and namespace in (None, obj["metadata"].get("namespace"))
        )

    def remove(self, *kinds: str, namespace: str | None = None) -> None:
        """Take away all objects of these kinds."""
        self.objects = [
            obj for obj in self.objects if obj["kind"] not in kinds or namespace not in (None, obj["metadata"].get("namespace"))
        ]

    def run(self, workload: Obj, *, past: Iterable[Obj] = (), ready: bool = True, pod: Callable[[Obj], None] = lambda pod: None) -> Obj:
        """A Deployment (or StatefulSet) whose pods run. `past`: templates of earlier revisions; `pod` changes each pod."""
        workload = self.add(workload)
        spec, metadata = workload["spec"], workload["metadata"]
        spec.setdefault("replicas", 1)
        _fill_defaults(spec["template"])
        templates = [*past, spec["template"]]
        owner = workload
        if workload["kind"] == "Deployment":
            metadata.setdefault("annotations", {})["deployment.kubernetes.io/revision"] = str(len(templates))
            for number, template in enumerate(templates, start=1):
                owner = self._replica_set(workload, template, number, last=number == len(templates), ready=ready)
        count = spec["replicas"]
        for number in range(count):
            self._pod(owner, number, spec["template"], ready, pod)
        workload["status"] = _status(count, count if ready else 0)
        return workload

    def run_on(self, workload: Obj, nodes: Sequence[str], *, ready: bool = True) -> Obj:
        """A workload whose pods run on these nodes, one after the other; "" for a pod that no node takes."""
        rest = iter(nodes)

        def place(pod: Obj) -> None:
            if name := pod["spec"].get("nodeName") or next(rest):
                pod["spec"]["nodeName"] = name

        if workload["kind"] != "DaemonSet":
            return self.run(workload, ready=ready, pod=place)
        found, count = self.add(workload), len(nodes)
        _fill_defaults(found["spec"]["template"])
        for number in range(count):
            self._pod(found, number, found["spec"]["template"], ready, place)
        available = count if ready else 0
        found["status"] = {
            "observedGeneration": 1,
            "desiredNumberScheduled": count,
            "updatedNumberScheduled": count,
            "numberReady": available,
            "numberAvailable": available,
        }
        return found

    def bare_pod(self, name: str, template: Obj, *, namespace: str, ready: bool = True) -> Obj:
        """A pod that nobody owns."""
        _fill_defaults(template)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**template.get("metadata", {}), "name": name, "namespace": namespace}}
        return self.add({**pod, "spec": copy.deepcopy(template["spec"]), "status": _pod_status(template, ready)})

    def _replica_set(self, deployment: Obj, template: Obj, number: int, *, last: bool, ready: bool) -> Obj:
        _fill_defaults(template)
        count = deployment["spec"]["replicas"] if last else 0
        own = {key: value for key, value in deployment["metadata"]["annotations"].items() if last or "change-cause" not in key}
        return self.add(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{deployment['metadata']['name']}-{number}abc",
                    "namespace": deployment["metadata"]["namespace"],
                    "annotations": {**own, "deployment.kubernetes.io/revision": str(number)},
                    "labels": template["metadata"].get("labels", {}),
                    "ownerReferences": [_reference(deployment)],
                },
                "spec": {"replicas": count, "selector": deployment["spec"]["selector"], "template": template},
                "status": _status(count, count if ready else 0),
            }
        )

    def _pod(self, owner: Obj, number: int, template: Obj, ready: bool, change: Callable[[Obj], None]) -> None:
        pod = self.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    **copy.deepcopy(template.get("metadata", {})),
                    "name": f"{owner['metadata']['name']}-{number}xyz",
                    "namespace": owner["metadata"]["namespace"],
                    "ownerReferences": [_reference(owner)],
                },
                "spec": copy.deepcopy(template["spec"]),
                "status": {**_pod_status(template, ready), "podIP": f"10.42.0.{next(self._uids) % 250 + 1}"},
            }
        )
        _default_requests(pod["spec"])
        change(pod)

    def say(self, path: str, text: str) -> None:
        """Write one of the files that the lab collects."""
        self.files[path] = FileState(exists=True, kind="file", text=text, size=len(text), mode="644", owner="student")

    def probe(self, name: str, result: Any) -> None:
        """An experiment's result."""
        self.probes[name] = ProbeResult(result=result)

    def evidence(self) -> Evidence:
        """All of it, as it would be collected."""
        kinds = {kind.name: KindList(api=kind.api, namespaced=kind.namespaced) for kind in to_collect(self.checker.reads())[0]}
        for obj in self.objects:
            kind = KNOWN[obj["kind"]]
            items = kinds.setdefault(kind.name, KindList(api=kind.api, namespaced=kind.namespaced)).items
            kinds[kind.name] = KindList(api=kind.api, namespaced=kind.namespaced, items=[*items, obj])
        return Evidence(
            schema=SCHEMA,
            lab=self.lab.chapter,
            cluster=ClusterState(reachable=self.reachable, version="v1.36.3+k3s1", kinds=kinds if self.reachable else {}, logs=self.logs),
            params=Redactor(KEY).mapping(self.params),
            nodes={**self.machines, "server": self._node()},
            probes=self.probes,
        )

    def _node(self) -> NodeState:
        server = self.machines["server"]
        facts, time, address = {**server.facts, **self.facts}, self.time or server.time, self.address or server.address
        k3s = K3sState(config=self.config) if self.config else server.k3s
        return msgspec.structs.replace(server, files=self.files, facts=facts, time=time, address=address, k3s=k3s)

    def verdicts(self) -> Mapping[str, Judged]:
        """What the chapter's checks say, by the task's name. No check and no diagnosis of it breaks."""
        with no_bugs() as folder:
            return {one.id.partition(".")[2]: one for one in judge(self.checker, self.evidence(), bug_folder=folder)}

    def passed(self) -> set[str]:
        """Names of the tasks that pass."""
        return {name for name, one in self.verdicts().items() if one.passed}


def _machine(name: str, number: int, role: Role) -> NodeState:
    running = UnitState(load="loaded", active="active", sub="running", enabled="enabled", since=0.5)
    unit = {Role.SERVER: "k3s", Role.AGENT: "k3s-agent"}.get(role, "")
    units = {one: running if one == unit else UnitState() for one in ("k3s", "k3s-agent")}
    return NodeState(reachable=True, hostname=name, address=f"10.83.0.{number + 2}", time=1.0, units=units)


@contextmanager
def no_bugs() -> Iterator[Path]:
    """A folder for reports about broken checks, which stays empty: a diagnosis that breaks is otherwise passed over."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        reports = [path.read_text() for path in Path(folder).iterdir()]
        assert not reports, reports[0]


def hidden(value: str | bytes) -> Obj:
    """A secret value as it stands in Evidence."""
    return redact(value, KEY)


def _reference(owner: Obj) -> Obj:
    name, uid = owner["metadata"]["name"], owner["metadata"]["uid"]
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name, "uid": uid, "controller": True}


def _status(count: int, available: int) -> Obj:
    return {
        "observedGeneration": 1,
        "replicas": count,
        "updatedReplicas": count,
        "readyReplicas": available,
        "availableReplicas": available,
    }


def _pod_status(template: Obj, ready: bool) -> Obj:
    said = "True" if ready else "False"
    return {
        "phase": "Running",
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": said}],
        "containerStatuses": [
            {"name": one["name"], "image": one["image"], "ready": ready, "restartCount": 0, "state": {"running": {}}}
            for one in template["spec"]["containers"]
        ],
    }


def _fill_defaults(template: Obj) -> None:
    """What the API server adds by itself, as far as our checks can see it."""
    template.setdefault("metadata", {})
    for container in template["spec"]["containers"]:
        container.setdefault("resources", {})
        for name in ("readinessProbe", "livenessProbe", "startupProbe"):
            if "httpGet" in container.get(name, {}):
                container[name]["httpGet"].setdefault("path", "/")
                container[name]["httpGet"].setdefault("scheme", "HTTP")


def _default_requests(spec: Obj) -> None:
    """In pods, not in templates, limits count as requests where there are none."""
    for container in spec["containers"]:
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **resources.get("requests", {})}
