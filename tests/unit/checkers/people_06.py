"""Chapter 06 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

from tests.unit.checkers.kept_lab import GONE
from tests.unit.checkers.kept_placement import (
    LB,
    annotation,
    both,
    count,
    doors,
    label,
    no_doors,
    on,
    one_pod_only,
    pod_patience,
    service,
    spec,
    started_with,
    survived,
    taints,
    unit,
    unplaced,
)
from tests.unit.checkers.variant import Variant, each, one

DEVICE = "{key: device, operator: Exists}"
UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"
ROLE = "node-role.kubernetes.io/control-plane"


def leaves(key: str, seconds: str) -> str:
    return f"{{key: {key}, operator: Exists, effect: NoExecute, tolerationSeconds: {seconds}}}"


def requiring(key: str, operator: str, values: str = "") -> str:
    """A required node affinity with one expression."""
    said = f", values: {values}" if values else ""
    term = f"{{matchExpressions: [{{key: {key}, operator: {operator}{said}}}]}}"
    return f"{{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{term}]}}}}}}"


def by_affinity(name: str, *rule: str):
    return both(spec(name, "nodeSelector", GONE), spec(name, "affinity", requiring(*rule)))


def api_server(unreachable: str, not_ready: str):
    flags = [
        f"--kube-apiserver-arg=default-{key}-toleration-seconds={seconds}"
        for key, seconds in (("unreachable", unreachable), ("not-ready", not_ready))
        if seconds
    ]
    return started_with(*flags)


RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    one("", "more labels of one's own", both(label("edge1", "room", "7"), label("server", "room", "1"))),
    one("", "roles for the edge", label("edge1", "node-role.kubernetes.io/edge", "true")),
    *each("", lambda text: taints("server", text), values=[f"[{{key: {ROLE}, effect: NoSchedule}}]", "[{key: CriticalAddonsOnly, value: 'true', effect: NoExecute}]"]),  # K3s's page on servers
    one("", "a second taint, tolerated", both(
        taints("edge1", "[{key: device, value: {device}, effect: NoSchedule}, {key: room, value: cold, effect: PreferNoSchedule}]"))),
    *each("", spec, "sensor", "tolerations", values=[
        f"[{DEVICE}]", "[{operator: Exists}]", "[{key: device, value: {device}}]", "[{key: device, operator: Exists, effect: NoSchedule}]",
        "[{key: device, operator: Equal, value: {device}, effect: NoSchedule}, {key: other, operator: Exists}]",
    ]),
    *each("", spec, "sensor", "nodeSelector", values=[
        "{kubernetes.io/hostname: edge1}", "{tier: edge, site: {site_a}}", "{site: {site_a}, kubernetes.io/os: linux, kubernetes.io/arch: amd64}",
    ]),
    *[one("", f"sensor by {rule}", by_affinity("sensor", *rule)) for rule in [
        ("site", "In", "[{site_a}, attic]"), ("kubernetes.io/hostname", "In", "[edge1]"), ("kubernetes.io/hostname", "NotIn", "[server, edge2]"),
    ]],
    *[one("", f"{name} by {rule}", by_affinity(name, *rule)) for name in ("collector", "api") for rule in [
        ("tier", "In", "[edge]"), ("tier", "Exists"), (ROLE, "DoesNotExist"), ("kubernetes.io/hostname", "NotIn", "[server]"),
    ]],
    one("", "the API by its nodes' names", by_affinity("api", "kubernetes.io/hostname", "In", "[edge1, edge2]")),
    one("", "spread, if it can be", both(count("api", 2), spec("api", "topologySpreadConstraints",
        "[{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: api}}}]"))),
    *each("", spec, "api", "tolerations", values=[
        f"[{DEVICE}, {leaves(UNREACHABLE, '0')}, {leaves(NOT_READY, '0')}]",  # antrea-io/antrea#5521
        f"[{DEVICE}, {leaves(UNREACHABLE, '{patience-1}')}, {leaves(NOT_READY, '2')}]",
        "[{operator: Exists, effect: NoSchedule}, {operator: Exists, effect: NoExecute, tolerationSeconds: {patience}}]",
        f"[{{operator: Exists}}, {leaves(UNREACHABLE, '{patience}')}, {leaves(NOT_READY, '{patience}')}]",
    ]),
    one("", "told to the API server", both(api_server("{patience}", "{patience}"), pod_patience(6, 6))),  # kubernetes/kubernetes#74651
    one("", "told to the API server, in two words", both(
        started_with("--kube-apiserver-arg", "default-unreachable-toleration-seconds=5", "--kube-apiserver-arg", "default-not-ready-toleration-seconds=6"),
        pod_patience(5, 6))),
    one("", "the others say false", both(label("edge1", f"{LB}/enablelb", "false"), label("server", f"{LB}/enablelb", "false"))),
    one("", "a pool beside the label", both(label("edge2", f"{LB}/lbpool", "front"), service(f"metadata/labels/{LB}~1lbpool", "front"))),  # k3s-io/k3s#5185
    one("", "another class of priority", spec("sensor", "priorityClassName", "system-node-critical")),
    one("", "K3s was started again a while ago", unit("edge1", restarts=2, since=1.0)),
]  # fmt: skip
WRONG: list[Variant] = [
    *each("labels", lambda value: label("edge1", "tier", value), values=["Edge", "edge1", "'edge'", ""]),
    one("labels", "the site of the other", label("edge2", "site", "{site_a}")),
    one("labels", "as an annotation", both(label("edge2", "site", None), annotation("edge2", "site", "{site_b}"))),
    one("labels", "in K3s's own domain", both(label("edge2", "tier", None), label("edge2", "k3s.io/tier", "edge"))),
    one("labels", "all nodes", label("server", "tier", "edge")),  # kubectl label nodes --all
    one("labels", "K3s ends again and again", unit("edge1", active="activating", sub="auto-restart", restarts=9)),  # k3s-io/k3s#10916
    *each("taint", lambda text: taints("edge1", text), values=[
        "[]", "[{key: device, effect: NoSchedule}]", "[{key: device, value: {device}, effect: PreferNoSchedule}]", "[{key: device, value: {device}, effect: NoExecute}]",
        "[{key: '{device}', value: device, effect: NoSchedule}]", "[{key: Device, value: {device}, effect: NoSchedule}]",
        "[{key: device, value: {device}true, effect: NoSchedule}]",
    ]),
    one("taint labels", "the node was deleted", lambda lab: lab.all("Node").remove(lab.find("Node", "edge1"))),
    one("taint", "on the server too", taints("server", "[{key: device, value: {device}, effect: NoSchedule}]")),
    *[one("sensor", f"sensor tolerates {text}", both(spec("sensor", "tolerations", text), unplaced("sensor"))) for text in [
        "[]", "[{key: device, operator: Equal, value: {device}, effect: NoExecute}]", "[{key: device, operator: Equal, value: 'true', effect: NoSchedule}]",
        "[{key: device, operator: Equal, effect: NoSchedule}]", "[{key: '{device}', operator: Exists}]", "[{operator: Exists, effect: NoExecute}]",
    ]],
    one("sensor", "no rule at all", spec("sensor", "nodeSelector", GONE)),  # they lie on edge1 by luck
    one("sensor", "the tier only", spec("sensor", "nodeSelector", "{tier: edge}")),
    one("sensor", "terms are alternatives", both(spec("sensor", "nodeSelector", GONE), spec("sensor", "affinity",
        "{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: site, operator: In, values: ['{site_a}']}]},"
        " {matchExpressions: [{key: tier, operator: In, values: [edge]}]}]}}}"))),
    one("sensor", "a wish", both(spec("sensor", "nodeSelector", GONE), spec("sensor", "affinity",
        "{nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: site, operator: In, values: ['{site_a}']}]}}]}}"))),
    one("sensor", "beside the collector's pods", both(spec("sensor", "nodeSelector", GONE), spec("sensor", "affinity",
        "{podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: collector}}}]}}"))),
    one("sensor", "kubectl cordon of the others", both(spec("sensor", "nodeSelector", GONE), lambda lab: [
        lab.find("Node", name)["spec"].update(unschedulable=True) for name in ("server", "edge2")])),
    one("sensor", "one too many", count("sensor", 4)),
    one("collector", "by names", by_affinity("collector", "kubernetes.io/hostname", "In", "[edge1, edge2]")),
    one("collector", "by a label of one's own", both(
        label("edge1", "role", "collector"), label("edge2", "role", "collector"), spec("collector", "nodeSelector", "{role: collector}"))),
    one("collector", "by sites", by_affinity("collector", "site", "In", "[{site_a}, {site_b}]")),
    one("collector", "the device only", both(spec("collector", "nodeSelector", "{site: {site_a}}"), one_pod_only("collector", "edge1"))),
    one("collector", "no toleration", both(spec("collector", "tolerations", GONE), one_pod_only("collector", "edge2"))),
    one("collector", "everywhere", spec("collector", "nodeSelector", GONE)),
    one("api", "everywhere", both(spec("api", "nodeSelector", GONE), on("api", "server"))),
    one("api", "one name", spec("api", "nodeSelector", "{kubernetes.io/hostname: edge2}")),
    one("api", "both sites at once", both(spec("api", "nodeSelector", "{site: '{site_a},{site_b}'}"), unplaced("api"))),
    *each("failover", spec, "api", "tolerations", values=[
        f"[{DEVICE}]", f"[{DEVICE}, {leaves(UNREACHABLE, '{patience}')}]", f"[{DEVICE}, {leaves(NOT_READY, '{patience}')}]",
        f"[{DEVICE}, {leaves(UNREACHABLE, '{patience+1}')}, {leaves(NOT_READY, '{patience}')}]",
        f"[{DEVICE}, {{key: {UNREACHABLE}, operator: Exists, effect: NoExecute}}, {{key: {NOT_READY}, operator: Exists, effect: NoExecute}}]",  # epam/cloud-pipeline#3302
        f"[{DEVICE}, {{key: {UNREACHABLE}, operator: Exists, effect: NoSchedule}}, {{key: {NOT_READY}, operator: Exists, effect: NoSchedule}}]",
        f"[{DEVICE}, {leaves('node.alpha.kubernetes.io/unreachable', '{patience}')}, {leaves('node.alpha.kubernetes.io/notReady', '{patience}')}]",
        "[{operator: Exists}]",
    ]),
    one("failover", "one of two told to the API server", both(api_server("{patience}", ""), pod_patience(6, 300))),
    one("failover", "told to the API server, and the pods are from before", both(api_server("{patience}", "{patience}"), pod_patience(300, 300))),  # canonical/microk8s#2876
    one("failover", "told to the controller manager", both(started_with("--kube-controller-manager-arg=pod-eviction-timeout=5s"), pod_patience(300, 300))),
    one("failover", "added to the pod alone", pod_patience(6, 6)),
    one("failover", "it stayed", survived(left=False, ready="")),
    one("door", "no label", both(label("edge2", f"{LB}/enablelb", None), doors("server", "edge1", "edge2"))),
    one("door", "every node", both(label("edge1", f"{LB}/enablelb", "true"), doors("edge1", "edge2"))),
    one("door", "yes is not true", both(label("edge2", f"{LB}/enablelb", "yes"), no_doors)),
    one("door", "false for the others alone", both(  # k3s-io/klipper-lb#73
        label("edge2", f"{LB}/enablelb", None), label("edge1", f"{LB}/enablelb", "false"), label("server", f"{LB}/enablelb", "false"), no_doors)),
    one("door", "a pool without the label", both(  # k3s-io/docs#75
        label("edge2", f"{LB}/enablelb", None), label("edge2", f"{LB}/lbpool", "front"), service(f"metadata/labels/{LB}~1lbpool", "front"), doors("server", "edge1", "edge2"))),
    one("door", "the other node", both(label("edge2", f"{LB}/enablelb", None), label("edge1", f"{LB}/enablelb", "true"), doors("edge1"))),
    one("door", "a port of the node", both(service("spec/type", "NodePort"), no_doors)),
]  # fmt: skip
