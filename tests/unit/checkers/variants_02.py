"""Chapter 02 answered otherwise, on top of the solved lab: wrong in one field, and right in other words."""

from __future__ import annotations

import copy

from tests.unit.checkers.kept_lab import GONE, Obj, put
from tests.unit.checkers.kept_workloads import (
    Change,
    Workloads,
    answer,
    answer_file,
    both,
    cause,
    container,
    count_of,
    deployment,
    healed,
    make_unready,
    pods,
    stuck,
)
from tests.unit.checkers.variant import Variant, each, one

# While a rollout is stuck the old pods answer, so the shop is deployed; what is asked of all pods, or of a state that lasts, is not there.
STUCK = "scale image ready requests"
PROBE = "readinessProbe"
SIDECAR: Obj = {"name": "log", "image": "course/tools:1", "command": ["sleep", "infinity"]}
EXEC = "{exec: {command: [%s]}}"


# Deployed -------------------------------------------------------------------------------------------------------------------


def renamed(name: str) -> Change:
    return lambda lab: lab.web["metadata"].update(name=name)


def in_namespace(namespace: str) -> Change:
    return lambda lab: lab.moved(lab.text(namespace))


def as_kind(kind: str) -> Change:
    def change(lab: Workloads) -> None:
        web = lab.web
        lab.all("Deployment").remove(web)
        for revision in lab.revisions:
            lab.all("ReplicaSet").remove(revision)
        for pod in lab.pods:
            pod["metadata"]["ownerReferences"][0].update(kind=kind, name="web", uid=web["metadata"]["uid"])
        lab.add({**web, "kind": kind})

    return change


def bare_pods(lab: Workloads) -> None:
    lab.all("Deployment").remove(lab.web)
    for revision in lab.revisions:
        lab.all("ReplicaSet").remove(revision)
    for pod in lab.pods:
        pod["metadata"].pop("ownerReferences")


def none_available(lab: Workloads) -> None:
    for pod in lab.pods:
        make_unready(pod)
    lab.web["status"].update(readyReplicas=0, availableReplicas=0, unavailableReplicas=4)


def one_unavailable(lab: Workloads) -> None:
    make_unready(lab.pods[0])
    lab.web["status"].update(readyReplicas=3, availableReplicas=3, unavailableReplicas=1)


def being_deleted(lab: Workloads) -> None:
    lab.web["metadata"]["deletionTimestamp"] = "2026-11-25T04:47:50Z"


def namespace_being_deleted(lab: Workloads) -> None:
    namespace = lab.find("Namespace", lab.params.namespace)
    namespace["metadata"]["deletionTimestamp"] = "2026-11-25T04:47:50Z"
    namespace["status"] = {"phase": "Terminating"}


def not_noticed(lab: Workloads) -> None:
    lab.web["metadata"]["generation"] += 1


DEPLOY = [
    *each("deploy", renamed, values=["wep", "web1", "web-shop", "shop", "webs"]),
    *each("deploy", in_namespace, values=["default", "kube-system", "accounts", "{namespace}s", "{namespace}-web"]),
    *each("deploy", as_kind, values=["StatefulSet", "DaemonSet", "ReplicaSet", "Job"]),
    one("deploy", "bare pods", bare_pods),
    *each("deploy", stuck, "image", values=[
        "web:2", "course/wbe:2", "course/webs:2", "courses/web:2", "docker.io/web:2", "ghcr.io/course/web:2", "course/web-2",
        "course/tools:1", "nginx:1.27", "library/course/web:2", "localhost/course/web:2",
    ]),
    one("deploy", "none available", none_available),
    one("deploy image ready requests", "being deleted", being_deleted),
    one("deploy image ready requests", "namespace being deleted", namespace_being_deleted),
]  # fmt: skip


# Scaled ---------------------------------------------------------------------------------------------------------------------

SCALE = [
    *each("scale", count_of, values=["1", "{replicas-1}", "{replicas+1}", "{replicas*2}"]),
    *each("deploy", count_of, values=["0"]),
    one(STUCK, "one pod is not ready", one_unavailable),
    one("scale", "scaled at the ReplicaSet, put back",
        both(count_of("1"), lambda lab: put(lab.revisions[-1], "metadata/annotations/deployment.kubernetes.io~1desired-replicas", "1"))),
]  # fmt: skip


# Version 2 ------------------------------------------------------------------------------------------------------------------


def one_old_pod(field: str) -> Change:
    return lambda lab: lab.pods[-1]["spec"]["containers"][0].update(image=field)


def paused(lab: Workloads) -> None:
    """The change to version 2 is in the template and not carried out."""
    lab.rolled_out(lambda spec: put(spec, "containers/0/image", "course/web:1"))
    put(lab.web, "spec/template/spec/containers/0/image", "course/web:2")
    lab.web["spec"]["paused"] = True
    lab.web["status"]["updatedReplicas"] = 0


IMAGE = [
    *each("image", container, "image", values=["course/web:1", "docker.io/course/web:1"]),
    *each(STUCK, stuck, "image", values=[
        "course/web", "course/web:latest", "course/web:v2", "course/web:2.0", "course/web:3", "course/web:02", "course/web:20", "course/web:2a",
    ]),
    *each("image", one_old_pod, values=["course/web:1", "docker.io/course/web:1"]),
    one("image ready requests", "paused", paused),
    one("deploy", "a change that was not noticed yet", not_noticed),  # nobody knows yet what becomes of it
]  # fmt: skip


# History --------------------------------------------------------------------------------------------------------------------


def only_revisions(*images: str) -> Change:
    """The history knows these images, the last one runs."""

    def change(lab: Workloads) -> None:
        *old, newest = lab.revisions
        for revision in old:
            lab.all("ReplicaSet").remove(revision)
        for number, image in enumerate(images[:-1], start=1):
            revision = copy.deepcopy(old[0])
            revision["metadata"].update(name=f"web-{number}", uid=f"uid-web-{number}")
            revision["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = str(number)
            put(revision, "spec/template/spec/containers/0/image", image)
            lab.all("ReplicaSet").append(revision)
        for obj in (lab.web, newest):
            obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = str(len(images))

    return change


def cause_elsewhere(where: str) -> Change:
    return both(cause("", ""), lambda lab: put(lab.web, where, "release version 2"))


def cause_of_the_past(lab: Workloads) -> None:
    lab.web["metadata"]["annotations"].pop("kubernetes.io/change-cause")
    lab.revisions[-1]["metadata"]["annotations"].pop("kubernetes.io/change-cause")


HISTORY = [
    one("history", "no cause", cause("", "")),
    *each("history", cause, "kubernetes.io/change-cause", values=["", " ", "\n", "\t "]),
    *[one("history", f"cause named {name}", cause(name, "release version 2"))
      for name in ("change-cause", "kubernetes.io/changecause", "kubernetes.io/change_cause", "kubernetes.io/Change-Cause",
                   "kubernetes.io/cause", "k8s.io/change-cause", "kubernetes/change-cause")],
    *each("history", cause_elsewhere, values=[
        "metadata/labels/kubernetes.io~1change-cause", "spec/template/metadata/annotations/kubernetes.io~1change-cause",
        "spec/template/metadata/labels/change-cause",
    ]),
    one("history", "a cause of an earlier revision only", cause_of_the_past),
    one("history", "created with version 2", only_revisions("course/web:2")),
    one("history", "version 2 twice", only_revisions("course/web:2", "course/web:2")),
    one("history", "another image before", only_revisions("course/webs:1", "course/web:2")),
    one("history", "another tag before", only_revisions("course/web:0", "course/web:2")),
    one("history", "tools before", only_revisions("course/tools:1", "course/web:2")),
    one("history image", "version 1 twice", both(only_revisions("course/web:1", "course/web:1"), container("image", "course/web:1"))),
]  # fmt: skip


# Readiness ------------------------------------------------------------------------------------------------------------------


def other_port_throughout(port: str) -> Change:
    """The shop listens there and the probe asks there."""
    return both(container("env", f"[{{name: WEB_PORT, value: '{port}'}}]"), container(f"{PROBE}/httpGet/port", port))


def probe_of_a_sidecar(lab: Workloads) -> None:
    def change(spec: Obj) -> None:
        probe = spec["containers"][0].pop(PROBE)
        spec["containers"].append({**SIDECAR, PROBE: probe})

    lab.rolled_out(change)


def moved_probe(kind: str) -> Change:
    return lambda lab: lab.rolled_out(lambda spec: spec["containers"][0].update({kind: spec["containers"][0].pop(PROBE)}))


READY = [
    *each("ready", container, f"{PROBE}/httpGet/path", values=["/", "/healthz", "/ready", "/Readyz", "/readyz/", "/readyz2", "/livez", "/web/readyz"]),
    *each(STUCK, stuck, f"{PROBE}/httpGet/port", values=["8080", "80", "{port+1}", "{port-1}", "1{port}", "http"]),
    *each("ready", other_port_throughout, values=["8080", "{port+1}", "{port-1}"]),
    *each(STUCK, stuck, f"{PROBE}/httpGet/scheme", values=["HTTPS"]),
    *each("ready", container, f"{PROBE}/httpGet/host", values=["127.0.0.1", "localhost", "shop.example", "172.27.192.11"]),
    *each("ready", container, PROBE, values=[
        GONE, "{}", "{tcpSocket: {port: {port}}}", "{grpc: {port: {port}}}",
        EXEC % '"true"', EXEC % 'sh, -c, "exit 0"', EXEC % "cat, /etc/hostname",
        EXEC % "echo, http://localhost:{port}/readyz", EXEC % 'sh, -c, "true # http://localhost:{port}/readyz"',
        EXEC % 'sh, -c, "wget -qO- http://localhost:{port}/readyz || true"', EXEC % 'sh, -c, "wget -qO- http://localhost:{port}/readyz; true"',
        EXEC % "wget, -qO-, http://localhost:8080/readyz", EXEC % "wget, -qO-, http://localhost:{port}/", EXEC % "wget, -qO-, http://localhost:{port}/readyz2",
        EXEC % "wget, -qO-, http://shop.example:{port}/readyz", EXEC % "curl, -s, http://localhost:{port}/readyz",
    ]),
    *each("ready", moved_probe, values=["livenessProbe", "startupProbe"]),
    one("ready", "the probe is a sidecar's", probe_of_a_sidecar),
    *each(STUCK, stuck, "env", values=[
        "[]", "[{name: WEBPORT, value: '{port}'}]", "[{name: PORT, value: '{port}'}]", "[{name: web_port, value: '{port}'}]",
        "[{name: WEB_PORT, value: '{port+1}'}]", "[{name: WEB_PORT, value: ':{port}'}]",
    ]),
    one("ready", "one pod without the probe", lambda lab: lab.pods[0]["spec"]["containers"][0].pop(PROBE)),
]  # fmt: skip


# Requests -------------------------------------------------------------------------------------------------------------------


def requests(cpu: str, memory: str) -> Change:
    asked = ", ".join(f"{name}: {amount}" for name, amount in (("cpu", cpu), ("memory", memory)) if amount)
    return container("resources", f"{{requests: {{{asked}}}}}")


def cpu(amount: str) -> Change:
    return requests(amount, "{memory}Mi")


def memory(amount: str) -> Change:
    return requests("{cpu}m", amount)


def of_a_sidecar(lab: Workloads) -> None:
    def change(spec: Obj) -> None:
        resources = spec["containers"][0].pop("resources")
        spec["containers"][0]["resources"] = {}
        spec["containers"].append({**SIDECAR, "resources": resources})

    lab.rolled_out(change)


REQUESTS = [
    *each("requests", cpu, values=["{cpu+1}m", "{cpu-1}m", "{cpu*10}m", "{cpu/10}m", "{cpu}u", "{cpu}n", "1", "0.{cpu}1", "1m", "0", ""]),
    *each("requests", memory, values=["{memory}M", "{memory}Ki", "{memory}k", "{memory}", "{memory}m", "{memory+1}Mi", "{memory-1}Mi", "{memory*1000}Ki",
                                      "{memory*1000000}", "1Gi", "0", ""]),
    *each(STUCK, stuck, "resources/requests/cpu", values=["{cpu}", "{cpu}k"]),
    *each(STUCK, stuck, "resources/requests/memory", values=["{memory}Gi", "{memory}G", "{memory}Ti"]),
    one("requests", "swapped", requests("{memory}m", "{cpu}Mi")),
    *each("requests", container, "resources", values=["{}", "{limits: {cpu: '1', memory: 64Mi}}", "{limits: {cpu: {cpu}m}}"]),
    one("requests", "a sidecar's", of_a_sidecar),
    one("requests", "one pod without", lambda lab: lab.pods[0]["spec"]["containers"][0].update(resources={})),
    one("requests", "one pod with more", lambda lab: put(lab.pods[0], "spec/containers/0/resources/requests/cpu", "900m")),
]  # fmt: skip


# Healing, and the ledger ------------------------------------------------------------------------------------------------------

HEAL = [
    one("heal", "nothing came", healed(deleted="web-1", replacement="", seen="", refused="")),
    one("heal", "a quota", healed(deleted="web-1", replacement="", seen="", refused="exceeded quota")),
    one("heal", "came and did not get ready", healed(deleted="web-1", replacement="", seen="web-2", refused="")),
    one("heal", "nothing to delete", healed(deleted="", replacement="", seen="")),
    one("heal", "not tried", lambda lab: lab.document["probes"].pop("02.heal")),
]
CRASH = [
    *each("crash", answer, values=[
        "", "\n", " \n\t", "CrashLoopBackOff", "Error", "exit code 1", "LEDGER_URL", "LEDGER_REGION", "LEDGER_FORMAT", "LEDGER", "{missing}S",
        "X{missing}", "X_{missing}", "LEDGER-PERIOD", "LEDGER PERIOD", "environment variable", "missing", "WEB_REQUIRE_ENV", "PERIOD",
        "LEDGER_URL,LEDGER_REGION,LEDGER_FORMAT,{missing}", "{missing} LEDGER_URL LEDGER_REGION",
        "LEDGER_BRANCH LEDGER_CURRENCY LEDGER_OWNER LEDGER_PERIOD LEDGER_TENANT LEDGER_ZONE", "kubectl logs deployment/ledger",
    ]),
    one("crash", "no file", answer_file(exists=False)),
    one("crash", "a folder", answer_file(exists=True, kind="folder", names=["LEDGER_PERIOD"])),
    one("crash", "what is no text", answer_file(exists=True, kind="file", problem="it is no text", size=90)),
]  # fmt: skip
WRONG: list[Variant] = [*DEPLOY, *SCALE, *IMAGE, *HISTORY, *READY, *REQUESTS, *HEAL, *CRASH]


# Right in other words ---------------------------------------------------------------------------------------------------------


def labelled(lab: Workloads) -> None:
    for obj in (lab.web, *lab.pods):
        obj["metadata"].setdefault("labels", {}).update({"tier": "front", "app.kubernetes.io/name": "shop"})


def named(name: str) -> Change:
    """kubectl create deployment names the container after the image."""
    return container("name", name)


def beside(place: int, *more: Obj) -> Change:
    def change(spec: Obj) -> None:
        spec["containers"][place:place] = copy.deepcopy(list(more))

    return lambda lab: lab.rolled_out(change)


def by_limit_range(lab: Workloads) -> None:
    """A LimitRange gives pods what the template does not say."""
    for obj in (lab.web, lab.revisions[-1]):
        put(obj, "spec/template/spec/containers/0/resources", {})


def scaled_since(lab: Workloads) -> None:
    """An autoscaler's or a hand's way there and back leaves only a higher generation."""
    for obj in (lab.web, lab.revisions[-1]):
        obj["metadata"]["generation"] += 4
        obj["status"]["observedGeneration"] = obj["metadata"]["generation"]


def evicted_pod(lab: Workloads) -> None:
    ghost = copy.deepcopy(lab.pods[0])
    ghost["metadata"].update(name="web-evicted", uid="uid-evicted")
    ghost["status"] = {"phase": "Failed", "reason": "Evicted"}
    put(ghost, "spec/containers/0/image", "course/web:1")
    lab.all("Pod").append(ghost)


def own_pod(lab: Workloads) -> None:
    pod = copy.deepcopy(lab.pods[0])
    pod["metadata"] = {"name": "try", "namespace": lab.params.namespace, "uid": "uid-try", "labels": {"run": "try"}}
    put(pod, "spec/containers/0/image", "course/web:1")
    lab.all("Pod").append(pod)


def dying_pod(lab: Workloads) -> None:
    """One of the former pods is still ending."""
    pod = copy.deepcopy(lab.pods[0])
    pod["metadata"].update(name="web-old", uid="uid-old", deletionTimestamp="2026-11-25T04:47:50Z")
    put(pod, "spec/containers/0/image", "course/web:1")
    make_unready(pod)
    lab.all("Pod").append(pod)


def many_revisions(lab: Workloads) -> None:
    """After more than ten the first is forgotten."""
    only_revisions(*["course/web:2"] * 13)(lab)
    for revision in lab.revisions[:2]:
        lab.all("ReplicaSet").remove(revision)


def with_template_port(port: str) -> Change:
    return both(container("ports", port), container(f"{PROBE}/httpGet/port", "http"))


RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    one("", "more labels", labelled),
    *each("", named, values=["web-2fqxz", "shop", "container-0"]),
    *each("", container, "image", values=["docker.io/course/web:2", "index.docker.io/course/web:2", f"course/web:2@sha256:{'a' * 64}"]),
    one("", "a sidecar behind", beside(1, SIDECAR)),
    one("", "a sidecar before", beside(0, SIDECAR)),
    one("", "another shop before it", beside(0, {**SIDECAR, "name": "canary", "image": "course/web:1"})),
    one("", "two sidecars", beside(0, SIDECAR, {**SIDECAR, "name": "log2", "image": "nginx:1.27"})),
    *each("", pods, "initContainers", values=["[{name: wait, image: 'course/tools:1', command: [sleep, '1']}]"]),
    *each("", cpu, values=["0.{cpu}", "'0.{cpu}'", "{cpu*1000}u", "{cpu*1000000}n", "{cpu/1000}", "{cpu}.0m", "{cpu}e-3", "'{cpu}e-3'"]),
    *each("", memory, values=["{memory*1024}Ki", "{memory*1048576}", "'{memory*1048576}'", "{memory*1048576000}m", "{memory}.0Mi", "'{memory*1024}Ki'"]),
    *each("", container, "resources/limits", values=["{cpu: '1', memory: 256Mi}", "{memory: 128Mi}", "{cpu: {cpu}m, memory: {memory}Mi}"]),
    *each("", container, "resources", values=["{limits: {cpu: {cpu}m, memory: {memory}Mi}}", "{requests: {cpu: {cpu}m}, limits: {memory: {memory}Mi}}",
                                              "{requests: {cpu: {cpu}m, memory: {memory}Mi, ephemeral-storage: 1Gi}}"]),
    one("", "a LimitRange's requests", by_limit_range),
    *each("", with_template_port, values=["[{name: http, containerPort: {port}}]", "[{name: admin, containerPort: 9000}, {name: http, containerPort: {port}}]"]),
    *each("", container, f"{PROBE}/periodSeconds", values=["1", "10", "30"]),
    *each("", container, f"{PROBE}/initialDelaySeconds", values=["1", "5"]),
    *each("", container, f"{PROBE}/failureThreshold", values=["1", "10"]),
    *each("", container, f"{PROBE}/timeoutSeconds", values=["5"]),
    *each("", container, f"{PROBE}/successThreshold", values=["2"]),
    *each("", container, f"{PROBE}/httpGet/httpHeaders", values=["[{name: X-Probe, value: lab}]"]),
    *each("", container, f"{PROBE}/httpGet/path", values=["readyz", "/readyz?verbose"]),
    *each("", container, f"{PROBE}/httpGet/host", values=["''"]),
    *each("", container, PROBE, values=[
        EXEC % "wget, -qO-, 'http://localhost:{port}/readyz'", EXEC % "wget, --spider, http://127.0.0.1:{port}/readyz",
        EXEC % "/usr/bin/wget, -q, -O, /dev/null, http://localhost:{port}/readyz", EXEC % "curl, --fail, http://localhost:{port}/readyz",
        EXEC % "curl, -fsS, http://127.0.0.1:{port}/readyz", EXEC % "curl, -f, 'localhost:{port}/readyz'",
        EXEC % """sh, -c, 'wget -q -O - "http://127.0.0.1:$WEB_PORT/readyz"'""", EXEC % "sh, -c, 'curl -f http://localhost:${WEB_PORT}/readyz'",
        EXEC % "wget, -qO-, http://localhost:$(WEB_PORT)/readyz", EXEC % "sh, -c, 'exec wget -qO- http://localhost:{port}/readyz'",
        EXEC % "sh, -c, 'wget -qO- http://localhost:{port}/readyz || exit 1'", EXEC % "sh, -c, 'wget -qO- http://localhost:{port}/readyz > /dev/null 2>&1'",
    ]),
    *each("", container, "livenessProbe", values=["{httpGet: {path: /healthz, port: {port}}}", "{tcpSocket: {port: {port}}}"]),
    *each("", container, "startupProbe", values=["{httpGet: {path: /readyz, port: {port}}, failureThreshold: 30}"]),
    *each("", container, "env", values=[
        "[{name: WEB_PORT, value: '{port}'}, {name: WEB_BODY, value: Hello}]",
        "[{name: WEB_PORT, valueFrom: {configMapKeyRef: {name: web, key: port}}}]", "[]",
    ]),
    one("", "the port by a flag", both(container("env", GONE), container("args", "['-port={port}']"))),
    one("", "the port from a ConfigMap", both(container("env", GONE), container("envFrom", "[{configMapRef: {name: web}}]"))),
    *each("", deployment, "spec/strategy", values=["{type: Recreate}", "{type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"]),
    *each("", deployment, "spec/minReadySeconds", values=["5"]),
    *each("", deployment, "spec/revisionHistoryLimit", values=["3", "100"]),
    *each("", deployment, "spec/progressDeadlineSeconds", values=["60"]),
    *each("", deployment, "spec/paused", values=["false"]),
    *each("", pods, "terminationGracePeriodSeconds", values=["1"]),
    *each("", pods, "securityContext", values=["{runAsNonRoot: true}"]),
    *each("", pods, "nodeSelector", values=["{kubernetes.io/os: linux}"]),
    *each("", pods, "volumes", values=["[{name: tmp, emptyDir: {}}]"]),
    *each("", container, "imagePullPolicy", values=["Never"]),
    *each("", cause, "kubernetes.io/change-cause", values=["Version 2", "kubectl set image deployment/web web=course/web:2", "Größere Auswahl", "  2 "]),
    one("", "more revisions", only_revisions("course/web:1", "course/web:2", "course/wbe:2", "course/web:2")),
    one("", "back and forth", only_revisions("course/web:1", "course/web:2", "course/web:1", "course/web:2")),
    one("", "whole names in the past", only_revisions("docker.io/course/web:1", "docker.io/course/web:2")),
    one("", "many revisions", many_revisions),
    one("", "scaled there and back", scaled_since),
    one("", "an evicted pod", evicted_pod),
    one("", "a pod of their own", own_pod),
    one("", "an old pod that is ending", dying_pod),
    one("", "the answer in small letters", lambda lab: answer(lab.params.missing.lower())(lab)),
    *each("", answer, values=[
        "{missing}", "{missing}\r\n", "\ufeff{missing}\n", "  {missing}  ", "${missing}", "`{missing}`", "{missing}=", "{missing}.", "It lacks {missing}.",
        "FATAL: the environment variable {missing} is not set, and I cannot work without it", "LEDGER_URL is set, but {missing} is missing.",
        "missing: {missing}\n\n", "2026/11/25 04:47:43 FATAL: the environment variable {missing} is not set",
    ]),
]  # fmt: skip
