"""Chapter 02, Workloads: a Deployment that is available, scaled, updated with a history, asked whether it is ready, and heals."""

from __future__ import annotations

import re
import shlex
from typing import Any

from courselab.grade import at_least, check, diagnose, expect, fail, image, partial, probe, quantity

SHOP = "course/web"
RELEASES = ("course/web:1", "course/web:2")
READY_PATH = "/readyz"
SHELLS = ("sh", "ash", "bash", "dash")
INSTEAD = {
    "livenessProbe": "it decides whether the container is restarted, not whether the pod gets requests",
    "startupProbe": "it asks until the answer is good for the first time, and not again",
}
KEPT_REVISIONS = 10  # old ones that a Deployment keeps, if it does not say otherwise
REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"
ANSWER = "/home/student/work/crash.txt"
BESIDE = "/home/student/crash.txt"
THERE = {"LEDGER_URL", "LEDGER_REGION", "LEDGER_FORMAT"}  # what the ledger has, and does not lack
OTHER_KINDS = ("StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")

Obj = dict[str, Any]


# Reading objects ------------------------------------------------------------------------------------------------------------


def shop(cluster: Any, params: Any) -> Obj:
    """The learner's Deployment; the check fails if it is not there."""
    return cluster.get("Deployment", "web", namespace=params.namespace)


def template_of(workload: Obj) -> Obj:
    """The pod template of a Deployment, ReplicaSet or another workload; a pod is its own."""
    spec = workload.get("spec", {})
    return spec.get("jobTemplate", {}).get("spec", spec).get("template") or {"spec": spec}


def shop_container(workload: Obj) -> Obj:
    """The container that is the shop: by its image and name, else by one of them, else the first. Others are the learner's own affair."""
    containers = template_of(workload)["spec"].get("containers") or [{}]
    by_image = [one for one in containers if is_shop(one.get("image", ""))]
    by_name = [one for one in containers if one.get("name") == "web"]
    by_both = [one for one in by_image if one in by_name]
    return (by_both or by_image or by_name or containers)[0]


def is_shop(name: str) -> bool:
    """Whether an image is the shop's, in any version."""
    return image(SHOP).test(name)


def runs_shop(workload: Obj) -> bool:
    """Whether one of its containers is the shop."""
    return any(is_shop(one.get("image", "")) for one in template_of(workload)["spec"].get("containers") or [])


def place_of(workload: Obj) -> str:
    """The path of the shop's container in a Deployment or a pod."""
    above = "spec" if workload["kind"] == "Pod" else "spec.template.spec"
    return f"{above}.containers[{shop_container(workload).get('name', 0)}]"


def live_pods(cluster: Any, web: Obj) -> list[Obj]:
    """The Deployment's pods, without those that are over (evicted ones stay in the list of pods as Failed)."""
    return [pod for pod in cluster.pods_of(web) if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")]


def is_ready(pod: Obj) -> bool:
    """Whether the pod says that it is ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod.get("status", {}).get("conditions") or [])


def annotation(obj: Obj, name: str) -> str:
    """An annotation's value, or ""."""
    return (obj["metadata"].get("annotations") or {}).get(name, "")


def revision_of(obj: Obj) -> int:
    """The revision that a Deployment or ReplicaSet is at; 0 before it has one."""
    text = annotation(obj, REVISION)
    return int(text) if text.isdigit() else 0


# 02.deploy ------------------------------------------------------------------------------------------------------------------


# A rollout that is stuck is the affair of the tasks after this one: hence settled=False here and below.
@check("02.deploy", reads=["Deployment"], settled=False)
def deploy(cluster: Any, params: Any) -> None:
    web = shop(cluster, params)
    expect(web, next="kubectl get deployment web -o wide").at(f"{place_of(web)}.image").matches(image(SHOP))
    expect(web, next="kubectl describe pod").matches({"status": {"availableReplicas": at_least(1)}})


@diagnose("02.deploy", "other-kind")
def deployed_as_other_kind(cluster: Any, params: Any) -> str | None:
    if cluster.find("Deployment", "web", namespace=params.namespace):
        return None
    for kind in OTHER_KINDS:
        for found in cluster.list(kind, namespace=params.namespace):
            if runs_shop(found) and not found["metadata"].get("ownerReferences"):
                return f"The shop runs as {kind} {found['metadata']['name']}. The task asks for a Deployment."
    return None


@diagnose("02.deploy", "other-namespace")
def deployed_in_other_namespace(cluster: Any, params: Any) -> str | None:
    if cluster.find("Deployment", "web", namespace=params.namespace):
        return None
    for found in cluster.list("Deployment"):
        name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
        if namespace != params.namespace and (name == "web" or (runs_shop(found) and name != "ledger")):
            forgotten = " That is where kubectl works when no namespace is named." if namespace == "default" else ""
            return f"Deployment {name} is in namespace {namespace}, not in {params.namespace}.{forgotten}"
    return None


@diagnose("02.deploy", "other-name")
def deployed_under_other_name(cluster: Any, params: Any) -> str | None:
    names = [found["metadata"]["name"] for found in cluster.list("Deployment", namespace=params.namespace) if runs_shop(found)]
    if not names or "web" in names:
        return None
    return f"The Deployment is named {names[0]}, and should be named web. A name cannot be changed: create it anew."


@diagnose("02.deploy", "bare-pods")
def deployed_bare_pods(cluster: Any, params: Any) -> str | None:
    pods = [pod for pod in cluster.list("Pod", namespace=params.namespace) if runs_shop(pod) and not pod["metadata"].get("ownerReferences")]
    if not pods or cluster.find("Deployment", "web", namespace=params.namespace):
        return None
    return f"Pod {pods[0]['metadata']['name']} belongs to nobody: nothing makes it again when it is gone. A Deployment would."


@diagnose("02.deploy", "other-image")
def deployed_other_image(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    own = shop_container(web).get("image", "") if web else ""
    if web is None or runs_shop(web) or not any(image(own).test(there) for there in cluster.images()):
        return None  # an image that is not there at all is explained by what its pods say
    return f"The Deployment runs {own}. The shop's image is called {SHOP}, with a version behind a colon."


# 02.scale -------------------------------------------------------------------------------------------------------------------


@check("02.scale", needs=["02.deploy"], reads=["Deployment"], settled=False)
def scale(cluster: Any, params: Any) -> None:
    web, wanted = shop(cluster, params), int(params.replicas)
    expect(web, next="kubectl get deployment web").matches({"spec": {"replicas": wanted}})
    expect(web, next="kubectl get pods").matches({"status": {"availableReplicas": at_least(wanted)}})


@diagnose("02.scale", "replicas-differ")
def replicas_differ(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    asked = web["spec"].get("replicas", 1) if web else int(params.replicas)
    if asked == int(params.replicas):
        return None
    return f"The Deployment itself asks for {asked}. What is changed at its ReplicaSet or its pods, it puts back."


# 02.image -------------------------------------------------------------------------------------------------------------------


@check("02.image", needs=["02.deploy"], reads=["Deployment", "ReplicaSet", "Pod"])
def release(cluster: Any, params: Any) -> None:
    web = shop(cluster, params)
    expect(web, next="kubectl rollout status deployment/web").at(f"{place_of(web)}.image").matches(image(RELEASES[1]))
    pods = live_pods(cluster, web)
    old = [pod for pod in pods if not image(RELEASES[1]).test(shop_container(pod).get("image"))]
    if old:
        fail(
            f"{len(old)} of {len(pods)} pods do not run {RELEASES[1]} yet",
            expected=f"every pod runs {RELEASES[1]}",
            actual=f"pod {old[0]['metadata']['name']} runs {shop_container(old[0]).get('image')}",
            path="spec.containers[].image",
            about=[*[pod for pod in pods if pod not in old], web],
            next="kubectl rollout status deployment/web",
        )
    all_ready(pods, web)


def all_ready(pods: list[Obj], web: Obj) -> None:
    """Fail unless there are pods and all of them are ready."""
    waiting = [pod for pod in pods if not is_ready(pod)]
    if waiting or not pods:
        fail(
            f"{len(waiting)} of {len(pods)} pods are not ready" if pods else "There is no pod",
            expected="every pod is ready",
            actual=f"{len(pods) - len(waiting)} of {len(pods)} are ready",
            path="status.conditions[Ready].status",
            about=waiting or web,
            next="kubectl describe pod",
        )


@diagnose("02.image", "edited-pods")
def edited_pods(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    for made_from in cluster.owned_by(web, "ReplicaSet") if web else []:
        model = shop_container(made_from).get("image")
        for pod in cluster.pods_of(made_from):
            own = shop_container(pod).get("image")
            if own != model:
                name = pod["metadata"]["name"]
                return f"Pod {name} was changed itself: it runs {own}. The template that pods are made from still says {model}."
    return None


@diagnose("02.image", "paused")
def rollout_paused(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    if web is None or not web["spec"].get("paused"):
        return None
    return "The rollout is paused: the Deployment takes note of changes and does not carry them out until it is resumed."


@diagnose("02.image", "old-version")
def old_version(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    if web is None or not image(RELEASES[0]).test(shop_container(web).get("image")):
        return None
    return "The template still says version 1: pods that are made anew, or restarted, are made from the template."


# 02.history -----------------------------------------------------------------------------------------------------------------


@check("02.history", needs=["02.deploy"], reads=["Deployment", "ReplicaSet"], settled=False)
def history(cluster: Any, params: Any) -> None:
    web = shop(cluster, params)
    sets = cluster.owned_by(web, "ReplicaSet")
    known = [shop_container(one).get("image") for one in sets]
    look = "kubectl rollout history deployment/web"
    with partial() as part:
        with part("versions 1 and 2"):
            missing = [version for version in RELEASES if not any(image(version).test(one) for one in known)]
            if missing == [RELEASES[0]] and has_lost_its_beginning(web):
                missing = []
            if missing or revision_of(web) < 2:
                fail(
                    f"the history does not know {' and '.join(missing) or 'another revision'}",
                    expected="revisions with version 1 and version 2",
                    actual=f"revision {revision_of(web)}; known: {', '.join(sorted(map(str, known))) or 'nothing'}",
                    path=f'metadata.annotations["{REVISION}"]',
                    about=web,
                    next=look,
                )
        with part("the reason"):
            if not annotation(max(sets, key=revision_of, default=web), CHANGE_CAUSE).strip():
                fail(
                    "the present revision has none",
                    expected="words of your own",
                    actual="none",
                    path=f'metadata.annotations["{CHANGE_CAUSE}"]',
                    about=web,
                    next=look,
                )


def has_lost_its_beginning(web: Obj) -> bool:
    """Whether there were so many changes that the first is cut off, and nobody can tell any more what it was."""
    return revision_of(web) > KEPT_REVISIONS + 1


@diagnose("02.history", "recreated")
def recreated(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    if web is None or revision_of(web) != 1 or not image(RELEASES[1]).test(shop_container(web).get("image")):
        return None
    return "This Deployment was created with version 2, so it has no past. A history begins when a Deployment that is there gets changed."


@diagnose("02.history", "never-version-1")
def never_version_1(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    sets = cluster.owned_by(web, "ReplicaSet") if web and not has_lost_its_beginning(web) else []
    if not sets or any(image(RELEASES[0]).test(shop_container(one).get("image")) for one in sets):
        return None
    return "No revision that the Deployment still has ran version 1, so nothing can be rolled back to it."


@diagnose("02.history", "annotation-name")
def annotation_misnamed(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    if web is None or annotation(web, CHANGE_CAUSE).strip():
        return None
    template = template_of(web).get("metadata", {})
    found = {
        "the Deployment has an annotation": web["metadata"].get("annotations") or {},
        "the Deployment has a label": web["metadata"].get("labels") or {},
        "the pod template has an annotation": template.get("annotations") or {},
    }
    for where, names in found.items():
        for name in names:
            near = name.rpartition("/")[2].lower().replace("_", "-") in ("change-cause", "changecause", "change-reason")
            if near and (name != CHANGE_CAUSE or "annotation" not in where or "template" in where):
                return f"{where[0].upper()}{where[1:]} {name}; the history shows the annotation {CHANGE_CAUSE} of the Deployment."
    return None


# 02.ready -------------------------------------------------------------------------------------------------------------------


@check("02.ready", needs=["02.deploy"], reads=["Deployment", "ReplicaSet", "Pod"])
def readiness(cluster: Any, params: Any) -> None:
    web = shop(cluster, params)
    pods = live_pods(cluster, web)
    for workload in (web, *pods):
        asks_readyz(workload, params)
    all_ready(pods, web)


def asks_readyz(workload: Obj, params: Any) -> None:
    """Fail unless the shop's readiness probe asks /readyz on the right port, by itself or through a command in the container."""
    container, path = shop_container(workload), f"{place_of(workload)}.readinessProbe"
    asked = container.get("readinessProbe") or {}
    command = (asked.get("exec") or {}).get("command")
    if command:
        if not asks_by_command(command, params.port):
            fail(
                "The readiness probe's command does not ask for /readyz on the right port, or does not fail when the answer is no",
                expected=f"one request for http://localhost:{params.port}{READY_PATH}, by wget or by curl --fail",
                actual=" ".join(command),
                path=f"{path}.exec.command",
                about=workload,
            )
        return
    if not asked.get("httpGet"):
        way = next((name for name in ("tcpSocket", "grpc") if name in asked), "no readiness probe")
        fail(
            "No readiness probe asks the shop over HTTP",
            expected=f"an httpGet probe of {READY_PATH} on port {params.port}",
            actual=way,
            path=path,
            about=workload,
            next="kubectl explain pod.spec.containers.readinessProbe.httpGet",
        )
    request, look = asked["httpGet"], "kubectl describe pod"
    if request.get("host"):
        fail(
            f"The readiness probe asks {request['host']}, whatever the pod does",
            expected="no host: then each pod is asked itself",
            actual=request["host"],
            path=f"{path}.httpGet.host",
            about=workload,
            next=look,
        )
    port = probe_port(container, asked)
    if port != int(params.port):
        fail(
            f"The readiness probe asks port {port}, not {params.port}",
            expected=params.port,
            actual=str(port),
            path=f"{path}.httpGet.port",
            about=workload,
            next=look,
        )
    asked_for = f"/{request.get('path', '').lstrip('/')}".partition("?")[0]  # the kubelet adds the slash that is left out
    if asked_for != READY_PATH:
        fail(
            f"The readiness probe asks for {asked_for}",
            expected=READY_PATH,
            actual=asked_for,
            path=f"{path}.httpGet.path",
            about=workload,
            next=look,
        )


def asks_by_command(command: list[str], port: str) -> bool:
    """Whether an exec probe's command is one request for /readyz that fails when the shop says no: wget, or curl with --fail."""
    words = list(command)
    if len(words) == 3 and words[0].rpartition("/")[2] in SHELLS and words[1].startswith("-") and words[1].endswith("c"):
        script = re.sub(r"[0-9&]?>+\s*(&[0-9]|/dev/null)", "", words[2]).strip()
        script = re.sub(r"\|\|\s*(exit 1|false)$", "", script).removeprefix("exec ")
        if re.search(r"[;&|#`\n]", script):
            return False  # what comes after the request decides, not the request
        try:
            words = shlex.split(script)
        except ValueError:
            return False
    shop_itself = r"(http://)?(localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|\$HOSTNAME)"
    url = rf"{shop_itself}:({port}|\$WEB_PORT|\$\{{WEB_PORT\}}|\$\(WEB_PORT\)){READY_PATH}"
    program = words[0].rpartition("/")[2] if words else ""
    fails = program == "wget" or (
        program == "curl" and any(re.fullmatch(r"--fail(-with-body)?|-[a-zA-Z]*f[a-zA-Z]*", word) for word in words)
    )
    return fails and any(re.fullmatch(url, word) for word in words)


def probe_port(container: Obj, asked: Obj) -> Any:
    """The number of the port that a probe asks; a name stands for the container's port of that name."""
    port = (asked.get("httpGet") or {}).get("port")
    named = {one.get("name"): one["containerPort"] for one in container.get("ports") or []}
    return int(port) if str(port).isdigit() else named.get(port, port)


@diagnose("02.ready", "liveness-instead")
def liveness_instead(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    container = shop_container(web) if web else {}
    for other, purpose in INSTEAD.items():
        if other in container and "readinessProbe" not in container:
            return f"There is a {other}: {purpose}."
    return None


@diagnose("02.ready", "probe-port")
def probe_on_other_port(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    container = shop_container(web) if web else {}
    asked = container.get("readinessProbe") or {}
    port = probe_port(container, asked)
    if "httpGet" not in asked or port == int(params.port):
        return None
    return f"The probe asks port {port}, and the shop is to listen on {params.port}."


@diagnose("02.ready", "probe-path")
def probe_of_other_path(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    path = ((shop_container(web).get("readinessProbe") or {}).get("httpGet") or {}).get("path") if web else None
    if path is None or path.lstrip("/").partition("?")[0] == READY_PATH.lstrip("/"):
        return None
    return f"The probe asks for {path}, which the shop answers whether or not it is ready. {READY_PATH} is the path that knows."


@diagnose("02.ready", "app-port")
def shop_on_other_port(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    container = shop_container(web) if web else {}
    entry = {one["name"]: one for one in container.get("env") or []}.get("WEB_PORT", {})
    told = entry.get("value", "")
    flags = " ".join([*(container.get("command") or []), *(container.get("args") or [])])
    elsewhere = container.get("envFrom") or entry.get("valueFrom") or "$(" in told  # what it says there is not seen here
    if not (container.get("readinessProbe") or {}).get("httpGet") or elsewhere or told == params.port or params.port in flags:
        return None
    listens = told or "8080, its own choice,"
    return f"The probe asks port {params.port}, and the shop listens on {listens} until WEB_PORT says otherwise."


# 02.requests ----------------------------------------------------------------------------------------------------------------


@check("02.requests", needs=["02.deploy"], reads=["Deployment", "ReplicaSet", "Pod"])
def resource_requests(cluster: Any, params: Any) -> None:
    web = shop(cluster, params)
    wanted = {"cpu": f"{params.cpu}m", "memory": f"{params.memory}Mi"}
    pods = live_pods(cluster, web)
    with partial() as part:
        for name, amount in wanted.items():
            with part(f"{name} request"):
                if asks_for(web, name) or not pods:  # a namespace's default (LimitRange) shows in the pods only
                    same_request(web, name, amount, about=web)
                for pod in pods:
                    same_request(pod, name, amount, about=web)


def asks_for(workload: Obj, name: str) -> Obj:
    """Where a container says how much of a resource it asks for: requests, or limits, which count as requests where there are none."""
    resources = shop_container(workload).get("resources") or {}
    return {where: resources[where] for where in ("requests", "limits") if name in (resources.get(where) or {})}


def same_request(workload: Obj, name: str, amount: str, *, about: Obj) -> None:
    """Fail unless the shop's container asks for this amount, however it is written."""
    where = next(iter(asks_for(workload, name)), "")
    place, look = f"{place_of(workload)}.resources", "kubectl describe deployment web"
    if not where:
        who = f"{workload['kind']} {workload['metadata']['name']}"
        fail(f"{who} has none", expected=amount, actual="none", path=f"{place}.requests.{name}", about=about, next=look)
    expect(workload, about=about, next=look).at(f"{place}.{where}.{name}").matches(quantity(amount))


@diagnose("02.requests", "whole-cores")
def whole_cores(cluster: Any, params: Any) -> str | None:
    asked = template_requests(cluster, params)
    if str(asked.get("cpu")) != params.cpu:
        return None
    return f"cpu: {params.cpu} means {params.cpu} whole CPUs; no node here has that many. A thousandth is written with an m."


@diagnose("02.requests", "memory-unit")
def memory_unit(cluster: Any, params: Any) -> str | None:
    found = re.fullmatch(r"(\d+)(\w*)", str(template_requests(cluster, params).get("memory", "")))
    if not found or found[1] != params.memory or found[2] == "Mi":
        return None
    means = {"M": "millions of bytes", "m": "thousandths of a byte", "": "bytes", "G": "thousands of millions of bytes", "Gi": "GiB"}
    return f"memory: {found[0]} means {found[1]} {means.get(found[2], found[2])}. MiB, 1024 × 1024 bytes, are written Mi."


@diagnose("02.requests", "swapped")
def requests_swapped(cluster: Any, params: Any) -> str | None:
    asked = template_requests(cluster, params)
    if asked.get("cpu") != f"{params.memory}m" or asked.get("memory") != f"{params.cpu}Mi":
        return None
    return "The numbers of CPU and memory have changed places."


@diagnose("02.requests", "limits-only")
def limits_only(cluster: Any, params: Any) -> str | None:
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    resources = (shop_container(web).get("resources") or {}) if web else {}
    if resources.get("requests") or not resources.get("limits"):
        return None
    return "There are limits and no requests: the limits then count as requests too, and they are not what the task names."


def template_requests(cluster: Any, params: Any) -> Obj:
    """What the template asks for."""
    web = cluster.find("Deployment", "web", namespace=params.namespace)
    return ((shop_container(web).get("resources") or {}).get("requests") or {}) if web else {}


# 02.heal --------------------------------------------------------------------------------------------------------------------


@probe("02.heal", effect="disturb", needs=["02.deploy", "02.scale"], objects=["Deployment/{namespace}/web"], deadline_s=50)
def lose_a_pod(lab: Any, cluster: Any, params: Any) -> Obj:
    """Delete a pod of the Deployment and wait for another one that is ready. There is nothing to put back: that is the point."""
    before = lab.list("Pod", namespace=params.namespace)
    known = {pod["metadata"]["uid"] for pod in before}
    mine = {pod["metadata"]["uid"] for pod in cluster.pods_of(shop(cluster, params))}
    victim = next((pod for pod in before if pod["metadata"]["uid"] in mine and is_ready(pod)), None)
    if victim is None:
        return {"deleted": "", "replacement": "", "seen": ""}
    lab.delete("Pod", victim["metadata"]["name"], namespace=params.namespace)

    def newcomers(pods: list[Obj]) -> list[Obj]:
        return [pod for pod in pods if pod["metadata"]["uid"] not in known and runs_shop(pod)]

    patience_s = 10  # for a pod to appear; one that has appeared may take longer to get ready
    if lab.wait("Pod", namespace=params.namespace, until=newcomers, timeout_s=patience_s):
        lab.wait("Pod", namespace=params.namespace, until=lambda pods: any(map(is_ready, newcomers(pods))), timeout_s=30)
    came = newcomers(lab.list("Pod", namespace=params.namespace))
    ready = [pod for pod in came if is_ready(pod)]
    return {
        "deleted": victim["metadata"]["name"],
        "replacement": ready[0]["metadata"]["name"] if ready else "",
        "seen": came[0]["metadata"]["name"] if came else "",
        "refused": "" if came else refusal(lab, params),
    }


def refusal(lab: Any, params: Any) -> str:
    """Why the ReplicaSet could not make a pod, in the cluster's words."""
    events = [event for event in lab.list("Event", namespace=params.namespace) if event.get("reason") == "FailedCreate"]
    newest = max(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", default={})
    return newest.get("message", "").removeprefix("(combined from similar events): ")


@check("02.heal", needs=["02.deploy", "02.scale"], reads=["Deployment"], probes=["02.heal"], settled=False)
def heal(cluster: Any, probes: Any, params: Any) -> None:
    web, seen = shop(cluster, params), probes["02.heal"]
    if seen["replacement"]:
        return
    if not seen["deleted"]:
        fail("No pod of the Deployment was ready, so none could be replaced", expected="a ready pod", actual="none", about=web)
    actual = f"pod {seen['seen']} came, and did not get ready" if seen["seen"] else seen["refused"] or "no new pod came"
    fail(
        f"Pod {seen['deleted']} was deleted, and nothing took its place: {actual}",
        expected="another pod, ready within 40 s",
        actual=actual,
        about=web,
        next="kubectl get events --sort-by=.lastTimestamp",
    )


# 02.crash -------------------------------------------------------------------------------------------------------------------


@check("02.crash")
def crash(nodes: Any, params: Any) -> None:
    answer = nodes["server"].file(ANSWER)
    look = "kubectl logs deployment/ledger --namespace=accounts"
    if not answer.exists or not answer.text.strip():
        fail(
            "There is no answer in ~/work/crash.txt yet",
            expected="a file with the name of what is missing",
            actual="an empty file" if answer.exists else "no file",
            path=ANSWER,
            next=look,
        )
    if not names_what_is_missing(answer.text, params):
        fail(
            "That is not what the ledger lacks",
            expected="the name of the one thing that is missing",
            actual=answer.text.strip()[:80],
            path=ANSWER,
            next=look,
        )


def names_what_is_missing(text: str, params: Any) -> bool:
    """Whether the text names it, with at most one other beside it: "LEDGER_URL is there, LEDGER_ZONE is not" is an answer, a list is none."""
    others = {word for word in words_of(text) - {params.missing} if word.startswith("LEDGER_")}
    return params.missing in words_of(text) and len(others) <= 1


def words_of(text: str) -> set[str]:
    """The names in a text, in capitals."""
    return {word.upper() for word in re.findall(r"[A-Za-z][A-Za-z0-9_]*", text)}


@diagnose("02.crash", "other-place")
def answered_elsewhere(nodes: Any) -> str | None:
    if nodes["server"].file(ANSWER).exists or not nodes["server"].file(BESIDE).exists:
        return None
    return "There is a crash.txt in the home folder. The task asks for it in the folder work, where your files are kept."


@diagnose("02.crash", "several")
def answered_everything(nodes: Any, params: Any) -> str | None:
    answer = nodes["server"].file(ANSWER)
    if not answer.exists or params.missing not in words_of(answer.text) or names_what_is_missing(answer.text, params):
        return None
    return "The file names several things. Which one of them is missing?"


@diagnose("02.crash", "not-missing")
def answered_what_is_there(nodes: Any) -> str | None:
    answer = nodes["server"].file(ANSWER)
    there = words_of(answer.text) & THERE if answer.exists else set()
    return f"The ledger has {min(there)}: its ConfigMap sets it." if there else None


@diagnose("02.crash", "symptom")
def answered_symptom(nodes: Any) -> str | None:
    answer = nodes["server"].file(ANSWER)
    if not answer.exists or not re.search(r"crash|back.?off|restart|error|exit|fail", answer.text, re.IGNORECASE):
        return None
    return "That is what one sees from outside. The program itself says in its log what it cannot work without."
