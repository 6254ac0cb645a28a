"""Why a pod is not well: its scheduling, its containers, their probes, and what happened to it."""

from __future__ import annotations

import re
from typing import Any

from courselab.grade.dig import Obj, dig, number, rows, table, text, texts
from courselab.grade.evidence import cluster_time
from courselab.grade.match import nearest
from courselab.grade.meaning import parse_image, readable
from courselab.grade.placement import may_run_on, tolerations
from courselab.grade.selectors import describe
from courselab.grade.settle import is_true, just_changed
from courselab.grade.why.walk import Walk, short
from courselab.grade.world import World, event_count, is_dying, name_of, namespace_of, title_of, unix_time

SHOWN_IMAGES = 6
CRASHES_LASTING = 2  # this often, and a crash is no accident of starting any more
PROBE_FAILURES_LASTING = 3
PROBE_SECONDS_LASTING = 10
SAYS_NOT_YET = re.compile(r"statuscode: 5\d\d")  # the application answers, and is not ready by its own account
NOT_YET_SECONDS_LASTING = 60
_EXIT_CODES = {126: " (its command may not be executed)", 137: " (killed)", 139: " (segmentation fault)", 143: " (asked to stop)"}
_SYSTEM_IMAGES = ("rancher/", "k3s-standin/", "registry.k8s.io/", "docker.io/rancher/", "docker.io/k3s-standin/", "docker.io/library/pause")


def pod(walk: Walk, obj: Obj) -> None:
    """Report why a pod does not run, or runs and is not ready."""
    base = {"pod": name_of(obj), "namespace": namespace_of(obj)}
    if is_dying(obj):
        _stuck(walk, obj)
        return
    phase, reason = text(obj, "status", "phase"), text(obj, "status", "reason")
    if phase == "Succeeded" or (is_true(obj, "Ready") and phase == "Running"):
        return
    if reason and walk.signal("pod", reason, text(obj, "status", "message"), node=text(obj, "spec", "nodeName"), **base):
        return
    if not text(obj, "spec", "nodeName"):
        _unscheduled(walk, obj, base)
        return
    found = _containers(walk, obj, base)
    if not found:
        found = bool(walk.events(obj, **base))
    if not found and phase == "Pending":
        state = _node_state(walk.world, text(obj, "spec", "nodeName"))
        if state:
            walk.signal("pod", "NodeLost", node=text(obj, "spec", "nodeName"), node_state=state, **base)
        else:
            walk.signal("pod", "Creating", **base)


def _stuck(walk: Walk, obj: Obj) -> None:
    finalizers = texts(obj, "metadata", "finalizers")
    if finalizers:
        walk.signal("pod", "Stuck", what=title_of(obj), finalizers=", ".join(finalizers))


def _node_state(world: World, name: str) -> str:
    if not world.objects("Node"):
        return ""
    found = world.find("Node", name)
    if found is None:
        return "does not exist"
    return "" if is_true(found, "Ready") else "is not ready"


# Scheduling ------------------------------------------------------------------------------------------------------------------


def _unscheduled(walk: Walk, obj: Obj, base: dict[str, str]) -> None:
    refused = [one for one in rows(obj, "status", "conditions") if one.get("type") == "PodScheduled" and one.get("status") == "False"]
    for condition in refused[:1]:
        message = _with_taints(walk.world, obj, text(condition, "message"))
        passing = _has_a_place_now(walk.world, table(obj, "spec"))
        walk.signal("pod", text(condition, "reason"), message, passing=passing, **_asked(walk.world, obj, message), **base)
    if not _claims(walk, obj) and not refused:
        walk.signal("pod", "Pending", **base)


def _has_a_place_now(world: World, spec: Obj) -> bool:
    """Whether a node that takes such a pod may have been changed after the scheduler looked for one."""
    taking = [node for node in world.objects("Node") if not dig(node, "spec", "unschedulable")]
    return bool(just_changed(world, "Node") and may_run_on(spec, taking))


def _with_taints(world: World, obj: Obj, message: str) -> str:
    """The scheduler's message with the taints that newer ones do not name: "1 node(s) had untolerated taint(s)"."""
    if "untolerated taint(s)" not in message:
        return message
    spec = table(obj, "spec")
    taints = [taint for node in world.objects("Node") for taint in rows(node, "spec", "taints") if not tolerations(spec, taint)]
    named = {f"{{{text(taint, 'key')}: {text(taint, 'value')}}}": None for taint in taints if text(taint, "effect") != "PreferNoSchedule"}
    return " ".join([message, *(f"untolerated taint {one}" for one in named)])


def _asked(world: World, obj: Obj, message: str) -> dict[str, str]:
    """What the pod asks of a node, as the sentence of a rule needs it."""
    spec = table(obj, "spec")
    resource = next((name for name in ("memory", "cpu", "ephemeral-storage") if f"Insufficient {name}" in message), "")
    containers = rows(spec, "containers")
    asked = [text(container, "resources", "requests", resource) for container in containers]
    has = [readable(text(node, "status", "allocatable", resource)) for node in world.objects("Node")] if resource else []
    wanted = [describe(table(spec, "nodeSelector"))] if table(spec, "nodeSelector") else []
    affinity = table(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    wanted += [describe(term) for term in rows(affinity, "nodeSelectorTerms")]
    ports = [number(port, "hostPort") for container in containers for port in rows(container, "ports") if port.get("hostPort")]
    holder = _port_holder(world, obj, ports)
    return {
        "asked": " + ".join(filter(None, asked)) or "more than that",
        "node_has": f", the node has {', '.join(filter(None, has))} in all" if any(has) else "",
        "node_selector": " or ".join(wanted) or "none that it has",
        "port_holder": f": {holder} holds port {', '.join(map(str, ports))}" if holder else "",
    }


def _port_holder(world: World, obj: Obj, ports: list[int]) -> str:
    for other in world.objects("Pod"):
        if other is obj or not text(other, "spec", "nodeName") or text(other, "status", "phase") in ("Succeeded", "Failed"):
            continue
        for container in rows(other, "spec", "containers"):
            if any(port.get("hostPort") in ports for port in rows(container, "ports")):
                return f"{title_of(other)} in namespace {namespace_of(other)}"
    return ""


def _claims(walk: Walk, obj: Obj) -> int:
    """Go on to the pod's PersistentVolumeClaims; returns how many causes they have."""
    found_causes = 0
    for volume in rows(obj, "spec", "volumes"):
        found = walk.world.find("PersistentVolumeClaim", text(volume, "persistentVolumeClaim", "claimName"), namespace_of(obj))
        if found:
            found_causes += walk.into(found)
    return found_causes


# Containers ------------------------------------------------------------------------------------------------------------------


def _containers(walk: Walk, obj: Obj, base: dict[str, str]) -> bool:
    """Report each container that is not well; whether some cause was found."""
    specs = {text(spec, "name"): spec for kind in ("initContainers", "containers") for spec in rows(obj, "spec", kind)}
    found = False
    for kind in ("initContainerStatuses", "containerStatuses"):
        for status in rows(obj, "status", kind):
            spec = specs.get(text(status, "name"), {})
            found |= _container(walk, obj, spec, status, {**base, "container": text(status, "name")})
        if found:
            return True  # an init container that fails is why the others do not start
    return found


def _container(walk: Walk, obj: Obj, spec: Obj, status: Obj, base: dict[str, str]) -> bool:
    state = table(status, "state")
    if "waiting" in state:
        reason = text(state, "waiting", "reason")
        if reason == "CrashLoopBackOff":
            return _crash(walk, obj, spec, status, base)
        return reason not in ("ContainerCreating", "PodInitializing", "") and _waiting(walk, obj, status, reason, base)
    if "terminated" in state:
        ended_well = dig(state, "terminated", "exitCode") == 0
        ran_to_its_end = ended_well and (is_init(obj, spec) or text(obj, "spec", "restartPolicy") != "Always")
        return not ran_to_its_end and _crash(walk, obj, spec, status, base)
    if status.get("ready") or is_init(obj, spec):
        return False
    if table(status, "lastState", "terminated") and number(status, "restartCount") >= CRASHES_LASTING:
        return _crash(walk, obj, spec, status, base)
    return _not_ready(walk, obj, spec, status, base)


def is_init(obj: Obj, spec: Obj) -> bool:
    """Whether a container's spec is one of the pod's init containers."""
    return any(other is spec for other in rows(obj, "spec", "initContainers"))


def _waiting(walk: Walk, obj: Obj, status: Obj, reason: str, base: dict[str, str]) -> bool:
    image = text(status, "image")
    message = text(dig(status, "state", "waiting"), "message")
    failures = [text(event, "message") for event in walk.world.events_of(obj) if text(event, "reason") in ("Failed", "InspectFailed")]
    fields = {**base, "image": image, **_images(walk.world, image)}
    if reason in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"):
        # What the node has tells more than how the registry failed: a name that nearly is there was meant to be that one.
        if fields["same_repository"] and walk.signal("waiting", reason, "tag:", **fields):
            return True
        if fields["near_image"] and walk.signal("waiting", reason, "name:", **fields):
            return True
    if "couldn't find key" in message:
        fields["keys_there"] = _keys_there(walk.world, obj, message)
    return walk.signal("waiting", reason, "\n".join([message, *failures]), **fields)


def _images(world: World, image: str) -> dict[str, str]:
    """The images that are on the nodes, and those that an image name was probably meant to be."""
    here = [name for name in world.images() if not _is_system(name)] or world.images()
    wanted = parse_image(image)
    parsed = {name: parse_image(name) for name in here}
    same = [name for name, found in parsed.items() if wanted and found and found.repository == wanted.repository]
    near = "" if same else nearest(_plain(image), [_plain(name) for name in here])
    return {
        "images": ", ".join(_plain(name) for name in here[:SHOWN_IMAGES]) or "none",
        "same_repository": ", ".join(_plain(name) for name in same[:SHOWN_IMAGES]),
        "near_image": near,
        "repository": _plain(image).rpartition(":")[0] or _plain(image),
        "tag": wanted.tag or wanted.digest if wanted else "",
    }


def _is_system(name: str) -> bool:
    return name.startswith(_SYSTEM_IMAGES) or "/mirrored-" in name


def _plain(name: str) -> str:
    return name.removeprefix("docker.io/").removeprefix("library/")


def _keys_there(world: World, obj: Obj, message: str) -> str:
    for kind in ("ConfigMap", "Secret"):
        for found in world.objects(kind):
            if namespace_of(found) == namespace_of(obj) and message.rstrip().endswith((f"{kind} {namespace_of(obj)}/{name_of(found)}",
                                                                                       f"{kind} {name_of(found)}")):  # fmt: skip
                keys = sorted([*table(found, "data"), *table(found, "binaryData")])
                return f"; it has {', '.join(keys[:8])}" if keys else "; it is empty"
    return ""


def _crash(walk: Walk, obj: Obj, spec: Obj, status: Obj, base: dict[str, str]) -> bool:
    restarts = number(status, "restartCount")
    state = table(status, "state")
    ended = table(state, "terminated") or table(status, "lastState", "terminated")
    code = number(ended, "exitCode")
    log = walk.world.log_of(obj, base["container"])
    lines = [line for line in log.lines if line.strip()] if log else []
    looping = text(state, "waiting", "reason") == "CrashLoopBackOff"
    fields: dict[str, Any] = {
        **base,
        "log": lines,
        "again": f" and was restarted {restarts} time{'s' if restarts > 1 else ''}" if restarts else "",
        "exit_code": f"{code}{_meaning(code)}",
        "memory_limit": text(spec, "resources", "limits", "memory") or "its node",
        # The first crash may be an accident of starting; a second one is not.
        "lasting": looping or restarts >= CRASHES_LASTING or (restarts > 0 and "terminated" in state),
    }
    liveness = _probe_event(walk.world, obj, "Liveness")
    if liveness and code in (0, 1, 2, 137, 143) and text(ended, "reason") != "OOMKilled":
        return walk.signal("crash", "LivenessFailed", liveness[0], **fields)
    refused = next((line for line in lines if "forbidden: User" in line), "")
    message = "\n".join([f"exit {code}", text(ended, "message"), refused, *lines[-3:]] if code != 127 else ["exit 127"])
    return walk.signal("crash", text(ended, "reason") or "Error", message, **fields)


def _meaning(code: int) -> str:
    return _EXIT_CODES.get(code, "")


def _probe_event(world: World, obj: Obj, probe: str) -> tuple[str, int] | None:
    """The newest failure of a probe: its message, and how often it happened."""
    for event in world.events_of(obj):
        message = text(event, "message")
        if text(event, "reason") == "Unhealthy" and message.startswith(f"{probe} probe"):
            return message.partition(": ")[2] or message, event_count(event)
    return None


def _not_ready(walk: Walk, obj: Obj, spec: Obj, status: Obj, base: dict[str, str]) -> bool:
    started = unix_time(text(dig(status, "state", "running"), "startedAt"))
    lost = [unix_time(text(row, "lastTransitionTime")) for row in rows(obj, "status", "conditions") if row.get("type") == "Ready"]
    age = cluster_time(walk.world.evidence) - max(started, *lost, 0.0) if started else 0.0
    for title, key in (("Startup", "startupProbe"), ("Readiness", "readinessProbe")):
        failure = _probe_event(walk.world, obj, title)
        if failure and table(spec, key):
            message, count = failure
            patience_s = NOT_YET_SECONDS_LASTING if SAYS_NOT_YET.search(message) else PROBE_SECONDS_LASTING
            lasting = count >= PROBE_FAILURES_LASTING and age >= patience_s
            return walk.signal("running", "Unhealthy", message, probe=title.lower(), lasting=lasting, **_probe(spec, key), **base)
    return walk.signal("running", "NotReady", **base)


def _probe(spec: Obj, key: str) -> dict[str, str]:
    probe = table(spec, key)
    way = table(probe, "httpGet") or table(probe, "tcpSocket") or table(probe, "grpc")
    declared = [str(port.get("containerPort")) for port in rows(spec, "ports")]
    asks = str(way.get("port", ""))
    return {
        "port": asks,
        "path": text(way, "path") or "/",
        "ports_declared": f"; the container declares port {', '.join(declared)}" if declared and asks not in declared else "",
        "command": short(" ".join(texts(probe, "exec", "command"))),
    }
