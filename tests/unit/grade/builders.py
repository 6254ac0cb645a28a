"""Evidence made by hand: objects as the API would give them, as little of them as a test needs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from courselab.course.model import Lab, LabFile, Task
from courselab.grade.authors import marks_of
from courselab.grade.checker import Checker, find_functions
from courselab.grade.evidence import SCHEMA, ClusterState, ContainerLog, Evidence, K3sName, K3sState, KindList, NodeState, UnitState
from courselab.grade.kinds import ALWAYS, K3S, KNOWN, Kind
from courselab.grade.world import World

Obj = dict[str, Any]
NOW = 1_790_000_000.0
NAMESPACE = "shop"
_uids = itertools.count(1)


def obj(kind: str, name: str, *, namespace: str | None = NAMESPACE, owner: Obj | None = None, **parts: Any) -> Obj:
    """Any object; `parts` are its top-level fields, `labels` and the like go into metadata."""
    known = KNOWN[kind]
    metadata: Obj = {"name": name, "uid": f"uid-{next(_uids)}", "creationTimestamp": "2026-11-24T10:00:00Z"}
    if known.namespaced:
        metadata["namespace"] = namespace
    for key in ("labels", "annotations", "generation", "deletionTimestamp", "finalizers"):
        if key in parts:
            metadata[key] = parts.pop(key)
    if owner:
        metadata["ownerReferences"] = [
            {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True}
        ]
    return {"apiVersion": known.api, "kind": kind, "metadata": metadata, **parts}


def container(name: str = "web", image: str = "course/web:1", **parts: Any) -> Obj:
    return {"name": name, "image": image, **parts}


def deployment(name: str = "web", replicas: int = 3, *, status: Obj | None = None, namespace: str = NAMESPACE, **spec: Any) -> Obj:
    """A Deployment that is rolled out, unless `status` says something else."""
    containers = spec.pop("containers", [container()])
    ready = {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    return obj(
        "Deployment",
        name,
        namespace=namespace,
        generation=2,
        spec={"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec},
        status={"observedGeneration": 2, **(ready if status is None else status)},
    )


def replica_set(owner: Obj, replicas: int | None = None, revision: int = 1) -> Obj:
    wanted = owner["spec"]["replicas"] if replicas is None else replicas
    name = f"{owner['metadata']['name']}-6d9f7c{revision}"
    return obj(
        "ReplicaSet",
        name,
        namespace=owner["metadata"]["namespace"],
        owner=owner,
        annotations={"deployment.kubernetes.io/revision": str(revision)},
        generation=1,
        spec={"replicas": wanted, "template": owner["spec"]["template"]},
        status={"observedGeneration": 1, "replicas": wanted, "availableReplicas": wanted},
    )


def pod(name: str = "web-1", owner: Obj | None = None, *, ready: bool = True, namespace: str = NAMESPACE, **parts: Any) -> Obj:
    """A pod that runs, unless `state` (of its container), `phase` or `conditions` say something else."""
    phase = parts.pop("phase", "Running")
    state = parts.pop("state", {"running": {"startedAt": "2026-11-24T10:00:00Z"}})
    containers = parts.pop("containers", [container()])
    status_parts = {key: parts.pop(key) for key in ("lastState", "restartCount") if key in parts}
    conditions = parts.pop("conditions", [{"type": "Ready", "status": "True" if ready else "False"}])
    node = parts.pop("node", "server")
    statuses = [{"name": one["name"], "image": one["image"], "ready": ready, "state": state, **status_parts} for one in containers]
    spec = {"containers": containers, "restartPolicy": "Always", **({"nodeName": node} if node else {}), **parts.pop("spec", {})}
    return obj(
        "Pod",
        name,
        namespace=namespace,
        owner=owner,
        labels=parts.pop("labels", {"app": "web"}),
        spec=spec,
        status={"phase": phase, "conditions": conditions, "containerStatuses": statuses if node else [], **parts.pop("status", {})},
        **parts,
    )


def waiting(reason: str, message: str = "") -> Obj:
    return {"waiting": {"reason": reason, "message": message}}


def terminated(code: int, reason: str = "Error") -> Obj:
    return {"terminated": {"exitCode": code, "reason": reason}}


def event(about: Obj, reason: str, message: str, *, count: int = 1, type: str = "Warning") -> Obj:
    metadata = about["metadata"]
    involved = {"kind": about["kind"], "name": metadata["name"], "namespace": metadata.get("namespace", ""), "uid": metadata["uid"]}
    return obj(
        "Event",
        f"{metadata['name']}.{next(_uids)}",
        namespace=metadata.get("namespace") or "default",
        involvedObject=involved,
        reason=reason,
        message=message,
        type=type,
        count=count,
        lastTimestamp="2026-11-24T10:00:30Z",
    )


def service(name: str = "web", *, selector: Obj | None = None, ports: list[Obj] | None = None, **parts: Any) -> Obj:
    spec = {"selector": {"app": "web"} if selector is None else selector, "ports": ports or [{"port": 80, "targetPort": 8080}]}
    return obj("Service", name, spec={**spec, **parts.pop("spec", {})}, **parts)


def endpoint_slice(of: Obj, pods: list[Obj], port: int = 8080) -> Obj:
    endpoints = [
        {"addresses": [f"10.42.0.{place}"], "conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": one["metadata"]["name"]}}
        for place, one in enumerate(pods, 10)
    ]
    return obj(
        "EndpointSlice",
        f"{of['metadata']['name']}-x",
        labels={"kubernetes.io/service-name": of["metadata"]["name"]},
        endpoints=endpoints,
        ports=[{"port": port}],
    )


def node(
    name: str = "server", *, ready: bool = True, images: tuple[str, ...] = ("docker.io/course/web:1", "docker.io/course/web:2")
) -> Obj:
    return obj(
        "Node",
        name,
        spec={},
        status={
            "conditions": [{"type": "Ready", "status": "True" if ready else "False", "reason": "KubeletNotReady", "message": "not yet"}],
            "images": [{"names": [image]} for image in images],
            "allocatable": {"cpu": "2", "memory": "2Gi"},
        },
    )


def namespaces(*names: str) -> list[Obj]:
    return [obj("Namespace", name, status={"phase": "Active"}) for name in names or ("default", "kube-system", NAMESPACE)]


def machine_state(**parts: Any) -> NodeState:
    units = {"k3s": UnitState(load="loaded", active="active", sub="running", since=NOW - 600)}
    defaults: Obj = {"reachable": True, "address": "192.0.2.11", "hostname": "server", "time": NOW, "units": units}
    return NodeState(**{**defaults, "k3s": K3sState(installed=True, version="v1.36.3+k3s1"), **parts})


def evidence(*objects: Obj | list[Obj], logs: tuple[ContainerLog, ...] = (), **parts: Any) -> Evidence:
    """Evidence with these objects and nothing else; every kind that is always collected is there, if empty."""
    kinds: dict[str, KindList] = {kind.name: _list(kind) for kind in (*ALWAYS, *K3S)}
    flat = [one for group in objects for one in (group if isinstance(group, list) else [group])]
    for one in flat:
        kind = KNOWN[one["kind"]]
        kinds.setdefault(kind.name, _list(kind)).items.append(one)
    cluster = ClusterState(reachable=True, version="v1.36.3", kinds=kinds, logs=list(logs))
    defaults: Obj = {
        "schema": SCHEMA,
        "lab": "02",
        "student": "ada",
        "provider": "local",
        "k3s": K3sName(distribution="stand-in", version="v1.36.3"),
        "collected": NOW,
        "params": {"namespace": NAMESPACE, "replicas": "3", "port": "8081"},
        "cluster": cluster,
        "nodes": {"server": machine_state()},
    }
    return Evidence(**{**defaults, **parts})


def world(*objects: Obj | list[Obj], **parts: Any) -> World:
    return World(evidence(*objects, **parts))


def _list(kind: Kind) -> KindList:
    return KindList(api=kind.api, namespaced=kind.namespaced, items=[], version="100")


def checker(*functions: Callable[..., Any], path: Path = Path("checkers/ch02.py")) -> Checker:
    """A checker of these functions, in this order."""
    assert all(marks_of(function) for function in functions)
    module: Any = type("module", (), {})()
    for place, function in enumerate(functions):
        setattr(module, f"function_{place}", function)
    return find_functions(path, module)


def lab(*tasks: Task, chapter: str = "02") -> Lab:
    found = list(tasks) or [task("02.deploy", points=2)]
    return Lab(
        LabFile(schema=1, chapter=chapter, title="Workloads", summary="Deployments.", minutes=30, tasks=found), Path("labs/02-workloads")
    )


def task(id: str, *, title: str = "", points: int = 1, deadline_s: int = 30) -> Task:
    return Task(id=id, title=title or f"Do {id}", text="Do it.", points=points, hints=["a", "b", "c"], deadline_s=deadline_s)
