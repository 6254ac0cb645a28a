"""What a cluster makes of changes to the solved lab of chapter 02: revisions, pods, rollouts that go on or get stuck."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.unit.checkers.kept_lab import KeptLab, Obj, put

REVISION = "deployment.kubernetes.io/revision"
Change = Callable[["Workloads"], Any]


class Workloads(KeptLab):
    """Chapter 02: the Deployment web with its revisions and pods."""

    def __init__(self) -> None:
        super().__init__("02")

    @property
    def web(self) -> Obj:
        """The Deployment."""
        return self.find("Deployment", "web")

    @property
    def revisions(self) -> list[Obj]:
        """Its ReplicaSets, oldest first."""
        own = [one for one in self.all("ReplicaSet") if one["metadata"]["namespace"] == self.params.namespace]
        return sorted(own, key=lambda one: int(one["metadata"]["annotations"][REVISION]))

    @property
    def pods(self) -> list[Obj]:
        """Its pods."""
        return [pod for pod in self.all("Pod") if pod["metadata"]["namespace"] == self.params.namespace]

    def rolled_out(self, change: Callable[[Obj], None]) -> None:
        """Change the pod template's spec, and everything that was made from it."""
        for spec in (self.web["spec"]["template"]["spec"], self.revisions[-1]["spec"]["template"]["spec"]):
            change(spec)
        for pod in self.pods:
            change(pod["spec"])
            for container in pod["spec"]["containers"]:  # the API server's default, of pods only
                resources = container.setdefault("resources", {})
                if resources.get("limits"):
                    resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}

    def stuck(self, change: Callable[[Obj], None]) -> None:
        """Change the pod template's spec; the new pods do not get ready, so three old ones are kept."""
        old, web = self.revisions[-1], self.web
        change(web["spec"]["template"]["spec"])
        number = int(web["metadata"]["annotations"][REVISION]) + 1
        web["metadata"]["annotations"][REVISION] = str(number)
        new = copy.deepcopy(old)
        new["metadata"].update(name="web-new", uid="uid-web-new")
        new["metadata"]["annotations"][REVISION] = str(number)
        change(new["spec"]["template"]["spec"])
        new["spec"]["replicas"] = 2
        new["status"] = {"replicas": 2, "observedGeneration": 1}
        self.all("ReplicaSet").append(new)
        gone, *_ = self.pods
        self.all("Pod").remove(gone)
        for place in range(2):
            self._unready_pod(new, gone, f"web-new-{place}", change)
        web["status"].update(replicas=5, updatedReplicas=2, readyReplicas=3, availableReplicas=3, unavailableReplicas=2)

    def _unready_pod(self, owner: Obj, like: Obj, name: str, change: Callable[[Obj], None]) -> None:
        pod = copy.deepcopy(like)
        pod["metadata"].update(name=name, uid=f"uid-{name}")
        pod["metadata"]["ownerReferences"][0].update(name=owner["metadata"]["name"], uid=owner["metadata"]["uid"])
        change(pod["spec"])
        make_unready(pod)
        self.all("Pod").append(pod)

    def count(self, wanted: int) -> None:
        """Have this many pods, as the Deployment says."""
        pods, web = self.pods, self.web
        for pod in pods[wanted:]:
            self.all("Pod").remove(pod)
        for place in range(len(pods), wanted):
            pod = copy.deepcopy(pods[0])
            pod["metadata"].update(name=f"web-more-{place}", uid=f"uid-more-{place}")
            self.all("Pod").append(pod)
        for obj in (web, self.revisions[-1]):
            obj["spec"]["replicas"] = wanted
            obj["status"].update(replicas=wanted, updatedReplicas=wanted, readyReplicas=wanted, availableReplicas=wanted)

    def moved(self, namespace: str) -> None:
        """The same in another namespace."""
        for obj in [self.web, *self.revisions, *self.pods]:
            obj["metadata"]["namespace"] = namespace


def make_unready(pod: Obj) -> None:
    """A pod whose container runs and is not ready."""
    for condition in pod["status"]["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition["status"] = "False"
    for status in pod["status"]["containerStatuses"]:
        status["ready"] = False


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def deployment(pointer: str, value: Any) -> Change:
    """A field of the Deployment alone."""
    return lambda lab: put(lab.web, pointer, _filled(lab, value))


def pods(pointer: str, value: Any) -> Change:
    """A field of the pod template's spec; all pods are made anew and get ready."""
    return lambda lab: lab.rolled_out(lambda spec: put(spec, pointer, _filled(lab, value)))


def container(pointer: str, value: Any) -> Change:
    """A field of the shop's container; all pods are made anew and get ready."""
    return pods(f"containers/0/{pointer}", value)


def stuck(pointer: str, value: Any) -> Change:
    """A field of the shop's container; the new pods do not get ready."""
    return lambda lab: lab.stuck(lambda spec: put(spec, f"containers/0/{pointer}", _filled(lab, value)))


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def answer(text: str) -> Change:
    """Another text in ~/work/crash.txt."""
    return lambda lab: lab.document["nodes"]["server"]["files"]["/home/student/work/crash.txt"].update(text=lab.text(text))


def answer_file(**state: Any) -> Change:
    """Another file in place of ~/work/crash.txt."""
    return lambda lab: lab.document["nodes"]["server"]["files"].update({"/home/student/work/crash.txt": state})


def healed(**result: str) -> Change:
    """Another result of the deleted pod's replacement."""
    return lambda lab: lab.document["probes"]["02.heal"].update(result=result)


def cause(name: str, value: str) -> Change:
    """The change-cause under this name, with this text, in place of the solution's."""

    def change(lab: Workloads) -> None:
        for obj in (lab.web, *lab.revisions):
            annotations = obj["metadata"]["annotations"]
            if annotations.pop("kubernetes.io/change-cause", None) is not None and name:
                annotations[name] = value

    return change


def _filled(lab: Workloads, value: Any) -> Any:
    return lab.value(value) if isinstance(value, str) else value


def count_of(wanted: str) -> Change:
    """Another number of pods."""
    return lambda lab: lab.count(int(lab.value(wanted)))
