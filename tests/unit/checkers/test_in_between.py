"""Right answers a moment after they were given: what a controller or a kubelet has yet to do is waited for, and never fails at once.

Each row takes a chapter's solved Evidence of a real run back to what it was a moment before, and must not be decided then.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from courselab.grade.evidence import Evidence
from courselab.grade.judge import judge
from courselab.grade.verdict import Judged
from tests.unit.checkers.kept_lab import KeptLab, Obj

REVISION = "deployment.kubernetes.io/revision"
ENDED = [{"type": "Ready", "status": "False"}, {"type": "PodScheduled", "status": "True"}]


class Moment(KeptLab):
    """A solved lab a moment before everybody had done what follows from the last right answer."""

    @property
    def now(self) -> float:
        return self.document["nodes"]["server"]["time"]

    def ago(self, seconds: float) -> str:
        return datetime.fromtimestamp(int(self.now - seconds), UTC).isoformat()

    def changed(self, obj: Obj, seconds: float = 1.0) -> None:
        """Say that an object was changed a moment ago."""
        self.document["cluster"]["kinds"][obj["kind"]].setdefault("changed", {})[obj["metadata"]["uid"]] = self.now - seconds

    def pods_of(self, name: str, namespace: str | None = None) -> list[Obj]:
        """The pods of a Deployment or DaemonSet, by their names."""
        return [
            pod
            for pod in self.all("Pod")
            if pod["metadata"]["name"].startswith(f"{name}-") and pod["metadata"]["namespace"] == (namespace or self.params.namespace)
        ]

    def take_away(self, kind: str, gone: list[Obj]) -> None:
        self.all(kind)[:] = [one for one in self.all(kind) if one not in gone]

    def waits(self, pods: list[Obj], *, reason: str = "ContainerCreating", message: str = "") -> None:
        """Pods that were placed and do not run yet."""
        for pod in pods:
            pod["status"].update(phase="Pending", conditions=copy.deepcopy(ENDED))
            for status in pod["status"]["containerStatuses"]:
                status.update(ready=False, state={"waiting": {"reason": reason, "message": message}})

    def refused(self, pods: list[Obj], message: str) -> None:
        """Pods that no node would take when the scheduler tried last."""
        for pod in pods:
            del pod["spec"]["nodeName"]
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            pod["status"] = {"phase": "Pending", "conditions": [condition]}

    def rolling(self, deployment: Obj, **status: int) -> None:
        """A Deployment whose new pods are not available yet."""
        deployment["status"] = {"observedGeneration": deployment["metadata"]["generation"], **status}

    def event(self, about: Obj, reason: str, message: str, seconds: float = 20, type: str = "Warning") -> None:
        metadata = about["metadata"]
        involved = {"kind": about["kind"], "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
        self.all("Event").append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{metadata['name']}.{reason}", "namespace": metadata["namespace"], "uid": f"uid-{reason}"},
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "type": type,
                "lastTimestamp": self.ago(seconds),
            }
        )

    def unanswered(self, probe: str, status: int = 404) -> None:
        self.document["probes"][probe]["result"] = {"status": status, "body": "", "error": "", "outdated": False}

    def older_set(self, deployment: Obj, revision: int = 0) -> Obj:
        """A ReplicaSet of before the newest one."""
        newest = max(
            (one for one in self.all("ReplicaSet") if one["metadata"]["name"].startswith(f"{deployment['metadata']['name']}-")),
            key=lambda one: int(one["metadata"]["annotations"][REVISION]),
        )
        older = copy.deepcopy(newest)
        older["metadata"].update(name=f"{deployment['metadata']['name']}-0000", uid="uid-older")
        older["metadata"]["annotations"][REVISION] = str(revision)
        older["spec"]["replicas"] = 1
        self.all("ReplicaSet").append(older)
        return older

    def broken_pod(self, owner: Obj, model: Obj) -> Obj:
        """A pod of this ReplicaSet whose image cannot be had."""
        pod = copy.deepcopy(model)
        pod["metadata"].update(name=f"{owner['metadata']['name']}-0abc", uid="uid-broken")
        pod["metadata"].pop("deletionTimestamp", None)
        for one in pod["metadata"]["ownerReferences"]:
            one.update(name=owner["metadata"]["name"], uid=owner["metadata"]["uid"])
        for one in (*pod["spec"]["containers"], *pod["status"]["containerStatuses"]):
            one["image"] = "course/wbe:1"
        self.all("Pod").append(pod)
        self.waits([pod], reason="ImagePullBackOff")
        return pod

    def judged(self, task: str) -> Judged:
        evidence = msgspec.convert(self.document, Evidence)
        pending = {probe.mark.name: "is not made here" for probe in self.checker.probes}
        return {one.id: one for one in judge(self.checker, evidence, pending=pending)}[f"{self.lab.chapter}.{task}"]


def image_mended(lab: Moment) -> None:
    """The first image could not be had; its pod stays until one of the new image is ready."""
    web = lab.find("Deployment", "web")
    pods = lab.pods_of("web")
    lab.broken_pod(lab.older_set(web), pods[0])
    lab.waits(pods)
    lab.rolling(web, replicas=len(pods) + 1, updatedReplicas=len(pods), unavailableReplicas=len(pods) + 1)


def image_just_mended(lab: Moment) -> None:
    """The same before the controller has seen it: there is no new ReplicaSet yet."""
    web = lab.find("Deployment", "web")
    pods = lab.pods_of("web")
    newest = next(one for one in lab.all("ReplicaSet") if one["metadata"]["uid"] == pods[0]["metadata"]["ownerReferences"][0]["uid"])
    lab.take_away("Pod", pods)
    lab.broken_pod(newest, pods[0])
    web["status"] = {"observedGeneration": web["metadata"]["generation"] - 1, "replicas": 1, "updatedReplicas": 1}


def just_annotated(lab: Moment) -> None:
    """An annotation changes no generation, and reaches the history a moment later."""
    web = lab.find("Deployment", "web")
    for one in lab.all("ReplicaSet"):
        one["metadata"]["annotations"].pop("kubernetes.io/change-cause", None)
    lab.changed(web)


def target_port_mended(lab: Moment) -> None:
    for one in lab.all("EndpointSlice"):
        if one["metadata"]["labels"]["kubernetes.io/service-name"] == "shop" and one["metadata"]["namespace"] == lab.params.namespace:
            one["ports"][0]["port"] = 80
    lab.changed(lab.find("Service", "shop"))


def public_port_mended(lab: Moment) -> None:
    """It wanted a port that is taken; its svclb pod still does."""
    shop = lab.find("Service", "shop-public")
    shop["status"] = {"loadBalancer": {}}
    lab.document["probes"]["03.outside"]["result"] = {"status": 0, "body": "", "error": "Connection refused"}
    pods = [one for one in lab.all("Pod") if one["metadata"]["name"].startswith("svclb-shop-public")]
    assert pods
    for one in pods:
        for port in one["spec"]["containers"][0]["ports"]:
            port["hostPort"] = 80
    lab.refused(pods, "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.")


def claim_just_used(lab: Moment) -> None:
    """The Deployment names the claim; its pod is not made yet."""
    lab.find("PersistentVolumeClaim", "guestbook")["status"] = {"phase": "Pending"}
    for pod in lab.pods_of("shop"):
        pod["spec"]["volumes"] = []
    shop = lab.find("Deployment", "shop")
    shop["status"]["observedGeneration"] = shop["metadata"]["generation"] - 1


def map_made_last(lab: Moment) -> None:
    """The pod came before its ConfigMap; the kubelet tries to mount it again after up to two minutes."""
    pods = lab.pods_of("shop")
    lab.waits(pods)
    lab.event(pods[0], "FailedMount", 'MountVolume.SetUp failed for volume "notice" : configmap "notice" not found')
    lab.document["probes"]["04.inside"]["result"] = []
    lab.rolling(lab.find("Deployment", "shop"), replicas=1, updatedReplicas=1, unavailableReplicas=1)


def key_of_map_made_last(lab: Moment) -> None:
    map_made_last(lab)
    lab.all("Event")[-1]["message"] = 'MountVolume.SetUp failed for volume "notice" : references non-existent config key: notice.txt'


def secret_made_last(lab: Moment) -> None:
    map_made_last(lab)
    lab.all("Event").pop()
    lab.waits(lab.pods_of("shop"), reason="CreateContainerConfigError", message='secret "till" not found')


def node_has_just_joined(lab: Moment) -> None:
    """The shop's pod waits for a node that is there since a second."""
    pods = lab.pods_of("shop")
    lab.refused(pods, "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't match Pod's node affinity/selector.")
    for one in lab.all("EndpointSlice"):
        if one["metadata"]["namespace"] == lab.params.namespace:
            one["endpoints"] = []
    lab.rolling(lab.find("Deployment", "shop"), replicas=1, updatedReplicas=1, unavailableReplicas=1)
    lab.changed(next(one for one in lab.all("Node") if one["metadata"]["name"] == "edge2"))


def node_just_labelled(lab: Moment) -> None:
    """ServiceLB has not told its DaemonSet yet."""
    keeper = next(one for one in lab.all("Pod") if one["metadata"]["name"].startswith("svclb-api"))
    another = copy.deepcopy(keeper)
    another["metadata"].update(name="svclb-api-0abc", uid="uid-another")
    another["spec"]["nodeName"] = "edge1"
    lab.all("Pod").append(another)
    lab.changed(next(one for one in lab.all("Node") if one["metadata"]["name"] == lab.params.door))


def node_back(lab: Moment) -> None:
    """K3s on edge1 runs again, and its kubelet has not reported yet."""
    edge = next(one for one in lab.all("Node") if one["metadata"]["name"] == "edge1")
    for condition in edge["status"]["conditions"]:
        condition.update(status="Unknown", reason="NodeStatusUnknown")
    machine = lab.document["nodes"]["edge1"]
    machine["units"]["k3s-agent"]["since"] = machine["time"] - 2


def manifest_being_applied(lab: Moment) -> None:
    board = lab.find("Deployment", "board")
    lab.take_away("Deployment", [board])
    addon = lab.find("Addon", lab.params.addon, "kube-system")
    lab.all("Event")[:] = [one for one in lab.all("Event") if one["involvedObject"]["name"] != lab.params.addon]
    lab.event(addon, "ApplyManifestFailed", 'no matches for kind "Deploymnet"', seconds=30)
    lab.event(addon, "ApplyingManifest", "Applying manifest", seconds=0, type="Normal")


def chart_being_applied(lab: Moment) -> None:
    """By a manifest that K3s has begun with: its HelmChart is not there yet."""
    manifest_being_applied(lab)
    lab.take_away("HelmChart", [lab.find("HelmChart", lab.params.release, "kube-system")])


def image_of_the_site_mended(lab: Moment) -> None:
    shop = lab.find("Deployment", "shop")
    pods = lab.pods_of("shop")
    lab.broken_pod(lab.older_set(shop), pods[0])
    lab.waits(pods)
    lab.rolling(shop, replicas=3, updatedReplicas=2, unavailableReplicas=3)
    lab.unanswered("16.shop")


def key_mended(lab: Moment) -> None:
    """The kubelet looks for the key again after some seconds."""
    message = f"couldn't find key database-key in Secret {lab.params.namespace}/account"
    lab.waits(lab.pods_of("account"), reason="CreateContainerConfigError", message=message)
    lab.rolling(lab.find("Deployment", "account"), replicas=1, updatedReplicas=1, unavailableReplicas=1)
    lab.unanswered("16.account")


def class_made(lab: Moment) -> None:
    """The StorageClass that the claim asks for was made; the claim and the pod still say that there is none."""
    claim = lab.find("PersistentVolumeClaim", "guestbook")
    claim["status"] = {"phase": "Pending"}
    name = claim["spec"]["storageClassName"]
    lab.event(claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
    lab.refused(lab.pods_of("guestbook"), f'0/1 nodes are available: storageclass.storage.k8s.io "{name}" not found. not found')
    lab.rolling(lab.find("Deployment", "guestbook"), replicas=1, updatedReplicas=1, unavailableReplicas=1)
    lab.unanswered("16.guestbook")


def uncordoned(lab: Moment) -> None:
    lab.refused(lab.pods_of("offers"), "0/1 nodes are available: 1 node(s) were unschedulable.")
    lab.rolling(lab.find("Deployment", "offers"), replicas=1, updatedReplicas=1, unavailableReplicas=1)
    lab.changed(next(iter(lab.all("Node"))))
    lab.unanswered("16.offers")


def budget_raised(lab: Moment) -> None:
    """The budget counts once its controller has written down the new one."""
    orders = lab.find("Deployment", "orders", lab.params.back)
    pods = lab.pods_of("orders", lab.params.back)
    newest = next(one for one in lab.all("ReplicaSet") if one["metadata"]["uid"] == pods[0]["metadata"]["ownerReferences"][0]["uid"])
    lab.take_away("Pod", pods)
    message = 'pods "orders-1" is forbidden: exceeded quota: budget, requested: requests.memory=16Mi, used: requests.memory=0, limited: requests.memory=8Mi'
    lab.event(newest, "FailedCreate", message, seconds=1)
    lab.rolling(orders, unavailableReplicas=1)
    lab.changed(lab.find("ResourceQuota", "budget", lab.params.back))
    lab.unanswered("16.orders")


ROWS: dict[str, tuple[str, str, Callable[[Moment], None]]] = {
    "a mended image, while the pod of before is there": ("02", "deploy", image_mended),
    "a mended image, before the controller has seen it": ("02", "deploy", image_just_mended),
    "the reason of a revision": ("02", "history", just_annotated),
    "a mended targetPort": ("03", "service", target_port_mended),
    "a mended public port": ("03", "public", public_port_mended),
    "a claim that a pod will use": ("04", "claim", claim_just_used),
    "a ConfigMap made last": ("04", "config", map_made_last),
    "a key of a ConfigMap made last": ("04", "config", key_of_map_made_last),
    "a Secret made last": ("04", "secret", secret_made_last),
    "a pod that waits for a node": ("05", "overlay", node_has_just_joined),
    "a label for ServiceLB": ("06", "door", node_just_labelled),
    "a node that is back": ("06", "labels", node_back),
    "a manifest that is being applied": ("07", "addon", manifest_being_applied),
    "a HelmChart in such a manifest": ("07", "helm", chart_being_applied),
    "a mended image of the site": ("16", "image", image_of_the_site_mended),
    "a mended key": ("16", "key", key_mended),
    "a class for a claim": ("16", "storage", class_made),
    "a node without its cordon": ("16", "node", uncordoned),
    "a raised budget": ("16", "quota", budget_raised),
}


@pytest.mark.parametrize(("chapter", "task", "change"), ROWS.values(), ids=list(ROWS))
def test_a_right_answer_is_waited_for(chapter: str, task: str, change: Callable[[Moment], None]) -> None:
    lab = Moment(chapter)
    assert lab.judged(task).verdict.value in ("pass", "waiting")
    change(lab)
    judged = lab.judged(task)
    assert (judged.verdict.value, bool(judged.waits_for)) == ("waiting", True), (judged.message, judged.why)
