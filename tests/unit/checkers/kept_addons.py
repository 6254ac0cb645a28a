"""What a cluster makes of changes to the solved lab of chapter 07: files that K3s keeps applied, charts, and what K3s was started with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from tests.unit.checkers.kept_lab import GONE, KeptLab, Obj, put

Change = Callable[["Addons"], Any]
MANIFESTS = "/var/lib/rancher/k3s/server/manifests/"
SYSTEM = "kube-system"
OWNER = "objectset.rio.cattle.io/owner-name"


class Addons(KeptLab):
    """Chapter 07: files, AddOns, HelmCharts and what came of them."""

    def __init__(self) -> None:
        super().__init__("07")

    @property
    def files(self) -> dict[str, float]:
        """Files and the time of their last change."""
        return self.document["nodes"]["server"]["facts"]["files"]

    @property
    def chart(self) -> Obj:
        """The learner's HelmChart."""
        return self.find("HelmChart", self.params.release, SYSTEM)

    @property
    def config(self) -> Obj:
        """The HelmChartConfig of Traefik."""
        return self.find("HelmChartConfig", "traefik", SYSTEM)

    @property
    def release(self) -> Obj:
        """The Deployment that the chart made."""
        return self.find("Deployment", self.params.release, self.params.target)

    @property
    def board(self) -> Obj:
        """The Deployment of the learner's file."""
        return self.find("Deployment", "board")

    def remove(self, kind: str, name: str, namespace: str = SYSTEM) -> Obj:
        """Take an object away; it is returned."""
        found = self.find(kind, self.text(name), self.text(namespace))
        self.all(kind).remove(found)
        return found


# Changes, as tables of variants name them ------------------------------------------------------------------------------------


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda lab: [change(lab) for change in changes]


def gone(kind: str, name: str, namespace: str = SYSTEM) -> Change:
    """Without an object."""
    return lambda lab: lab.remove(kind, name, namespace)


def file(*names: str) -> Change:
    """The learner's manifest has another name, or is several."""

    def change(lab: Addons) -> None:
        when = lab.files.pop(f"{MANIFESTS}{lab.params.addon}.yaml")
        lab.files.update({f"{MANIFESTS}{lab.text(name)}": when for name in names})

    return change


def more_files(*names: str) -> Change:
    """Further files below server/manifests, of a while ago."""
    return lambda lab: lab.files.update(dict.fromkeys((f"{MANIFESTS}{lab.text(name)}" for name in names), 1.0))


def board(pointer: str, value: Any) -> Change:
    """A field of the board's Deployment."""
    return lambda lab: put(lab.board, pointer, lab.text(value) if isinstance(value, str) else value)


def no_addon(lab: Addons) -> None:
    """K3s has applied no such file."""
    lab.remove("Addon", "{addon}")
    lab.remove("Deployment", "board", "{namespace}")


def said_of_addon(reason: str, message: str) -> Change:
    """The newest event of the learner's AddOn; its Deployment is not there."""

    def change(lab: Addons) -> None:
        addon = lab.find("Addon", lab.params.addon, SYSTEM)
        like = next(event for event in lab.all("Event") if event["involvedObject"].get("uid") == addon["metadata"]["uid"])
        event = copy.deepcopy(like)
        event["metadata"].update(name="newest", uid="uid-newest")
        event.update(type="Warning", reason=reason, message=message, lastTimestamp="2036-01-01T00:00:00Z")
        lab.all("Event").append(event)
        lab.remove("Deployment", "board", "{namespace}")

    return change


def chart(pointer: str, value: Any) -> Change:
    """A field of the HelmChart; the release stays as it is."""
    return lambda lab: put(lab.chart, pointer, lab.text(value) if isinstance(value, str) else value)


def values(text: str, *, replicas: str = "{replicas}", greeting: str = "{greeting}") -> Change:
    """Other valuesContent in the HelmChart, and what the release makes of it."""

    def change(lab: Addons) -> None:
        put(lab.chart, "spec/valuesContent", lab.text(text) or GONE)
        runs(replicas, greeting)(lab)

    return change


def runs(replicas: str = "{replicas}", greeting: str = "{greeting}") -> Change:
    """The release runs so many pods with these words."""

    def change(lab: Addons) -> None:
        wanted = int(lab.value(replicas))
        lab.release["spec"]["replicas"] = wanted
        lab.release["status"].update(dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted))
        lab.release["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "WEB_BODY", "value": lab.text(greeting)}]

    return change


def config_of(name: str, namespace: str = SYSTEM, **spec: Any) -> Change:
    """One more HelmChartConfig."""

    def change(lab: Addons) -> None:
        filled = {key: lab.text(value) if isinstance(value, str) else value for key, value in spec.items()}
        metadata = {"name": lab.text(name), "namespace": namespace, "uid": f"uid-{name}-{namespace}"}
        lab.all("HelmChartConfig").append(
            {"apiVersion": "helm.cattle.io/v1", "kind": "HelmChartConfig", "metadata": metadata, "spec": filled}
        )

    return change


def failed(name: str, *log: str) -> Change:
    """The Job of a HelmChart fails again and again, with these last words; what it should have made is not there."""

    def change(lab: Addons) -> None:
        job = lab.find("Job", f"helm-install-{lab.text(name)}", SYSTEM)
        job["status"] = {"failed": 3}
        pod = next(pod for pod in lab.all("Pod") if pod["metadata"]["name"].startswith(job["metadata"]["name"] + "-"))
        ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
        container = {
            "name": "helm",
            "ready": False,
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": ended,
        }
        pod["status"] = {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}], "containerStatuses": [container]}
        entry = {
            "namespace": SYSTEM,
            "pod": pod["metadata"]["name"],
            "container": "helm",
            "lines": [lab.text(line) for line in log],
            "previous": True,
        }
        lab.document["cluster"].setdefault("logs", []).append(entry)

    return change


def not_installed(*log: str) -> Change:
    """The learner's chart cannot be installed."""
    return both(failed("{release}", *log), gone("Deployment", "{release}", "{target}"))


def access(text: str = "", *, logged: bool = False, **spec: Any) -> Change:
    """Another HelmChartConfig of Traefik, and whether a request then leaves a line in its log."""

    def change(lab: Addons) -> None:
        lab.config["spec"] = {"valuesContent": text, **spec} if text else spec
        lab.document["probes"]["07.access"]["result"].update(logged=logged)

    return change


def no_config(*, logged: bool = False) -> Change:
    """Traefik has no HelmChartConfig."""
    return both(access(logged=logged), gone("HelmChartConfig", "traefik"))


def started_with(*arguments: str, configured: list[str] | None = None, flags: tuple[str, ...] = ()) -> Change:
    """K3s was started with these arguments; `configured`: what its configuration disables, if that is something else; `flags`: what its unit does."""

    def change(lab: Addons) -> None:
        node = lab.find("Node", "server")
        node["metadata"]["annotations"]["k3s.io/node-args"] = json.dumps(["server", *arguments])
        if configured is not None:
            lab.document["nodes"]["server"]["k3s"]["config"]["disable"] = configured
        lab.document["nodes"]["server"]["facts"]["flags"] = flags

    return change


def metrics_there(lab: Addons) -> None:
    """metrics-server runs."""
    one = copy.deepcopy(lab.find("Deployment", "coredns", SYSTEM))
    one["metadata"].update(name="metrics-server", uid="uid-metrics-server")
    lab.all("Deployment").append(one)


def till(*kinds: str) -> Change:
    """Something of the old till is still there."""
    there: dict[str, tuple[str, str, str]] = {
        "Deployment": ("apps/v1", "default", "old-till"),
        "Service": ("v1", "default", "old-till"),
        "ConfigMap": ("v1", SYSTEM, "old-till-rates"),
    }

    def change(lab: Addons) -> None:
        for kind in kinds:
            api, namespace, name = there[kind]
            metadata = {"name": name, "namespace": namespace, "uid": f"uid-{kind}"}
            lab.all(kind).append({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": {}})

    return change


def orphaned_till(lab: Addons) -> None:
    """Its Deployment was deleted with --cascade=orphan."""
    one = copy.deepcopy(next(one for one in lab.all("ReplicaSet") if one["metadata"]["name"].startswith("board-")))
    one["metadata"] = {"name": "old-till-777bb745c6", "namespace": "default", "uid": "uid-orphan", "labels": {"app": "old-till"}}
    lab.all("ReplicaSet").append(one)
