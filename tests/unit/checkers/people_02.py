"""Chapter 02 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.checkers.kept_lab import Obj, put
from tests.unit.checkers.kept_workloads import (
    Change,
    Workloads,
    answer,
    both,
    cause,
    container,
    deployment,
    healed,
    make_unready,
    pods,
    stuck,
)
from tests.unit.checkers.variant import Variant, each, one

REVISION = "deployment.kubernetes.io/revision"
STUCK = "scale image ready requests"


def undone_and_done_again(lab: Workloads) -> None:
    """`rollout undo` takes an old ReplicaSet up again under a new number; people ask where revision 1 went."""
    for revision, number in zip(lab.revisions, range(7, 20), strict=False):
        revision["metadata"]["annotations"] |= {REVISION: str(number), "deployment.kubernetes.io/revision-history": "1,3"}
    lab.web["metadata"]["annotations"][REVISION] = lab.revisions[-1]["metadata"]["annotations"][REVISION]


def made_by_helm(lab: Workloads) -> None:
    for obj in (lab.web, *lab.pods):
        obj["metadata"].setdefault("labels", {}).update({"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-0.1.0"})
    lab.web["metadata"]["annotations"] |= {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": lab.params.namespace}


def restarted(lab: Workloads) -> None:
    """kubectl rollout restart leaves an annotation in the template."""
    for obj in (lab.web, lab.revisions[-1]):
        put(obj, "spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt", "2026-11-25T04:47:43Z")
    for pod in lab.pods:
        put(pod, "metadata/annotations/kubectl.kubernetes.io~1restartedAt", "2026-11-25T04:47:43Z")


def debugged(lab: Workloads) -> None:
    """kubectl debug puts a container of another kind into a pod that runs."""
    lab.pods[0]["spec"]["ephemeralContainers"] = [{"name": "debugger-x7", "image": "course/tools:1", "targetContainerName": "web"}]


def limits_by_limit_range(lab: Workloads) -> None:
    for pod in lab.pods:
        put(pod, "spec/containers/0/resources/limits", {"cpu": "500m", "memory": "128Mi"})


def cause_on_the_replica_set(lab: Workloads) -> None:
    """`kubectl annotate replicaset` shows in the history just as well (kubernetes/kubernetes#40422)."""
    text = lab.web["metadata"]["annotations"].pop("kubernetes.io/change-cause")
    lab.revisions[-1]["metadata"]["annotations"]["kubernetes.io/change-cause"] = text


def cause_of_the_pods(lab: Workloads) -> None:
    for obj in (lab.web, *lab.revisions):
        obj["metadata"]["annotations"].pop("kubernetes.io/change-cause", None)
    for pod in lab.pods:
        put(pod, "metadata/annotations/kubernetes.io~1change-cause", "version 2")


def another_web_elsewhere(lab: Workloads) -> None:
    twin = copy.deepcopy(lab.web)
    twin["metadata"].update(namespace="default", uid="uid-twin")
    put(twin, "spec/template/spec/containers/0/image", "course/web:1")
    lab.add(twin)


def pod_taken_out(lab: Workloads) -> None:
    """A pod whose label was changed to look into it: it has no owner any more, and the ReplicaSet made another."""
    pod = copy.deepcopy(lab.pods[0])
    pod["metadata"].update(name="web-quarantine", uid="uid-quarantine", labels={"app": "web-debug"})
    pod["metadata"].pop("ownerReferences")
    put(pod, "spec/containers/0/image", "course/web:1")
    lab.all("Pod").append(pod)


def beside_in_green(lab: Workloads) -> None:
    """Version 2 in a Deployment of its own, beside version 1 in `web`."""
    lab.rolled_out(lambda spec: put(spec, "containers/0/image", "course/web:1"))
    twin = copy.deepcopy(lab.web)
    twin["metadata"].update(name="web-v2", uid="uid-v2")
    put(twin, "spec/template/spec/containers/0/image", "course/web:2")
    lab.add(twin)


def version_in_a_label(lab: Workloads) -> None:
    lab.rolled_out(lambda spec: put(spec, "containers/0/image", "course/web:1"))
    for obj in (lab.web, *lab.pods):
        obj["metadata"].setdefault("labels", {})["version"] = "2"


def host_network(lab: Workloads) -> None:
    """All pods want the node's one port."""

    def change(spec: Obj) -> None:
        spec["hostNetwork"] = True

    lab.stuck(change)


def pods_resized(lab: Workloads) -> None:
    """Requests put into the pods that run (in-place resize), not into the template: the next pod is without."""
    for obj in (lab.web, lab.revisions[-1]):
        put(obj, "spec/template/spec/containers/0/resources/requests/cpu", "1m")


def one_image_per_pod(lab: Workloads) -> None:
    put(lab.pods[0], "spec/containers/0/image", "course/web:1")


def not_ready_for_five_minutes(lab: Workloads) -> None:
    lab.rolled_out(lambda spec: put(spec, "containers/0/readinessProbe/initialDelaySeconds", 300))
    for pod in lab.pods:
        make_unready(pod)
    lab.web["status"].update(readyReplicas=0, availableReplicas=0)


def pods_alone(value: str) -> Change:
    """Requests of the whole pod instead of its container's (a field of newer versions)."""
    return both(container("resources", "{}"), pods("resources", value))


SIDECAR: Any = "[{name: log, image: 'course/tools:1', restartPolicy: Always, command: [sleep, infinity]}]"
RIGHT: list[Variant] = [
    one("", "undone and done again", undone_and_done_again),
    one("", "by Helm", made_by_helm),
    one("", "restarted", restarted),
    one("", "looked into with kubectl debug", debugged),
    one("", "a LimitRange's limits", limits_by_limit_range),
    one("", "the cause on the ReplicaSet", cause_on_the_replica_set),
    one("", "another web elsewhere", another_web_elsewhere),
    one("", "a pod taken out of service", pod_taken_out),
    *each("", pods, "initContainers", values=[SIDECAR]),  # sidecars as Kubernetes now has them
    *each("", pods, "topologySpreadConstraints", values=["[{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}]"]),
    *each("", container, "command", values=["[/usr/bin/web, '-port={port}']"]),
    *each("", container, "lifecycle", values=["{preStop: {exec: {command: [sleep, '5']}}}"]),
    *each("", cause, "kubernetes.io/change-cause", values=["kubectl apply --filename=web.yaml --record=true"]),  # kubernetes/kubernetes#111732
    *each("", answer, values=["The ledger needs\n\n    {missing}\n\nin its ConfigMap.", '"{missing}"', "export {missing}=..."]),
]  # fmt: skip
WRONG: list[Variant] = [
    one("history", "the cause on the pods", cause_of_the_pods),
    one("history", "no cause written", cause("", "")),  # kubernetes/website#52124: `set image` alone writes none
    *[one("history", f"the cause as {name}", cause(name, "version 2")) for name in ("kubernetes.io/change_cause", "app.kubernetes.io/change-cause")],
    one("image", "blue and green", beside_in_green),
    one("image", "the version as a label", version_in_a_label),
    one("image", "one pod edited", one_image_per_pod),
    one(STUCK, "on the host's network", host_network),
    one("requests", "resized pods", pods_resized),
    one("deploy", "not ready for five minutes", not_ready_for_five_minutes),
    *each("requests", pods_alone, values=["{requests: {cpu: {cpu}m, memory: {memory}Mi}}"]),
    *each("ready", container, "readinessProbe", values=["{exec: {command: [nc, -z, localhost, '{port}']}}"]),
    *each("scale", deployment, "spec/replicas", values=["1"]),
    *each(STUCK, stuck, "env", values=["[{name: WEB_PORT, value: '{port}'}, {name: WEB_PORT, value: '8080'}]"]),
    one("heal", "a finalizer keeps the pod", healed(deleted="web-1", replacement="", seen="", refused="")),
    *each("crash", answer, values=["LEDGER_URL=http://books.accounts.svc", "the ConfigMap", "OOMKilled", "Back-off restarting failed container", "$LAB_MISSING"]),
]  # fmt: skip
