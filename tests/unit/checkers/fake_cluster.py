"""A cluster on paper: objects as the controllers of a real one would leave them, for checks to judge."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from courselab.course.load import load_lab
from courselab.course.model import Collect
from courselab.course.params import Params
from courselab.grade.checker import Checker, load_checker
from courselab.grade.evidence import SCHEMA, ClusterState, Evidence, FileState, KindList, NodeState, ProbeResult
from courselab.grade.judge import judge
from courselab.grade.kinds import ALWAYS, KNOWN
from courselab.grade.verdict import Judged

COURSE = Path(__file__).parents[3]
Obj = dict[str, Any]


def objects(text: str, params: Params) -> list[Obj]:
    """YAML with {parameters}, as objects."""
    return [obj for obj in yaml.safe_load_all(params.fill(text)) if obj]


class FakeCluster:
    """Objects and files of one lab, and its judgement."""

    def __init__(self, chapter: str, seed: str = "test") -> None:
        folder = next((COURSE / "labs").glob(f"{chapter}-*"))
        self.lab = load_lab(folder)
        self.params = Params.draw(self.lab, seed)
        self.checker: Checker = load_checker(COURSE / "checkers" / f"ch{chapter}.py", self.lab)
        self.objects: list[Obj] = []
        self.files: dict[str, FileState] = {path: FileState(exists=False) for path in self.lab.file.collect.get("server", Collect()).files}
        self.probes: dict[str, ProbeResult] = {}
        self._uids = itertools.count(1)
        self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        images = [f"docker.io/{name}" for name in self.lab.file.images]
        self.add({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "server"}, "status": {"images": [{"names": images}]}})

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
        kinds = {kind.name: KindList(api=kind.api, namespaced=kind.namespaced) for kind in ALWAYS}
        for obj in self.objects:
            kind = KNOWN[obj["kind"]]
            items = kinds.setdefault(kind.name, KindList(api=kind.api, namespaced=kind.namespaced)).items
            kinds[kind.name] = KindList(api=kind.api, namespaced=kind.namespaced, items=[*items, obj])
        return Evidence(
            schema=SCHEMA,
            lab=self.lab.chapter,
            cluster=ClusterState(reachable=True, version="v1.36.3+k3s1", kinds=kinds),
            params=dict(self.params),
            nodes={"server": NodeState(reachable=True, hostname="server", files=self.files, time=1.0)},
            probes=self.probes,
        )

    def verdicts(self) -> Mapping[str, Judged]:
        """What the chapter's checks say, by the task's name."""
        return {one.id.partition(".")[2]: one for one in judge(self.checker, self.evidence())}

    def passed(self) -> set[str]:
        """Names of the tasks that pass."""
        return {name for name, one in self.verdicts().items() if one.passed}


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
