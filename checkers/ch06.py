"""Chapter 06, Edge placement: which nodes have which labels and taints, where pods may run by them, and what happens when a node is lost."""

from __future__ import annotations

import re
import time
from typing import Any

from courselab.grade import ABSENT, at_least, check, diagnose, expect, fail, image, may_run_on, patience_s, probe, requires, tolerations

EDGES = ("edge1", "edge2")
SHOP = "course/web"
KEY, EFFECT = "device", "NoSchedule"
LOST = ("node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready")
NODE_ARGS = "k3s.io/node-args"
NODE_ROLE = "node-role.kubernetes.io/"
LB = "svccontroller.k3s.cattle.io"
ENABLE_LB = f"{LB}/enablelb"
SYSTEMCTL = "/usr/bin/systemctl"
STARTING_S = 30  # K3s that became active less than this ago may not have given its node all labels yet
RESTLESS_S = 20  # a unit that was started again by itself less than this ago may end again
NOTICED_S = 60  # K3s notices a lost node within this time in this lab, also on a busy computer

Obj = dict[str, Any]


# Reading objects ------------------------------------------------------------------------------------------------------------


def labels(obj: Obj) -> dict[str, str]:
    """An object's labels."""
    return obj["metadata"].get("labels") or {}


def taints(node: Obj) -> list[Obj]:
    """A node's taints."""
    return node["spec"].get("taints") or []


def taint_text(taint: Obj) -> str:
    """A taint as kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def is_ready(obj: Obj) -> bool:
    """Whether a pod or node says that it is ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in obj.get("status", {}).get("conditions") or [])


def template_spec(workload: Obj) -> Obj:
    """What a workload's pods are made from."""
    return workload["spec"]["template"]["spec"]


def live_pods(cluster: Any, workload: Obj) -> list[Obj]:
    """A workload's pods, without those that are over."""
    return [pod for pod in cluster.pods_of(workload) if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")]


def node_of(pod: Obj) -> str:
    """The node that a pod was given to; "" while it has none."""
    return pod["spec"].get("nodeName", "")


def runs_shop(workload: Obj) -> bool:
    """Whether one of its containers is of the image that the tasks name."""
    return any(image(SHOP).test(one.get("image", "")) for one in template_spec(workload).get("containers") or [])


def names(nodes: Any) -> str:
    """Nodes in a sentence."""
    return ", ".join(sorted(nodes)) or "no node"


# Where pods may run ---------------------------------------------------------------------------------------------------------


def only_on(cluster: Any, workload: Obj, wanted: set[str]) -> None:
    """Fail unless a workload's pods may run on these nodes and no others, by their template, and do."""
    spec, who = template_spec(workload), f"{workload['kind']} {workload['metadata']['name']}"
    allowed = set(may_run_on(spec, cluster.list("Node")))
    if allowed != wanted:
        fail(
            f"By their template the pods of {who} may run on {names(allowed)}",
            expected=f"{names(wanted)} and no other",
            actual=names(allowed),
            path="spec.template.spec",
            about=[*pending(cluster, workload), workload],
            next="kubectl get nodes --show-labels",
        )
    astray = [pod for pod in live_pods(cluster, workload) if node_of(pod) not in {"", *wanted}]
    if astray:
        fail(
            f"Pod {astray[0]['metadata']['name']} runs on {node_of(astray[0])}",
            expected=f"pods on {names(wanted)} only",
            actual=f"a pod on {node_of(astray[0])}",
            path="spec.nodeName",
            about=workload,
            next="kubectl get pods -o wide",
        )


def pending(cluster: Any, workload: Obj) -> list[Obj]:
    """The pods that no node takes."""
    return [pod for pod in live_pods(cluster, workload) if not node_of(pod)]


def constrains(spec: Obj, nodes: list[Obj]) -> bool:
    """Whether a template requires anything of its node that not every node has."""
    return not all(requires(spec, node) for node in nodes)


def prefers(spec: Obj) -> bool:
    """Whether a template has a preference among nodes."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return bool(affinity.get("preferredDuringSchedulingIgnoredDuringExecution"))


def own_taint(params: Any) -> Obj:
    """The taint that the learner gives edge1."""
    return {"key": KEY, "value": params.device, "effect": EFFECT}


def elsewhere(cluster: Any, kind: str, name: str, params: Any) -> str | None:
    """Says it if the workload is in another namespace, or is of another kind, or is not the image's."""
    if cluster.find(kind, name, namespace=params.namespace):
        return None
    for found in cluster.list(kind):
        if found["metadata"]["name"] == name:
            return f"{kind} {name} is in namespace {found['metadata']['namespace']}, not in {params.namespace}."
    for other in ("Deployment", "DaemonSet", "StatefulSet"):
        if other != kind and cluster.find(other, name, namespace=params.namespace):
            return f"{name} is a {other}. The task asks for a {kind}."
    return None


# 06.labels ------------------------------------------------------------------------------------------------------------------


@check("06.labels", reads=["Node"], settled=False)
def node_labels(cluster: Any, nodes: Any, params: Any) -> None:
    look = "kubectl get nodes -L tier,site"
    for name, site in sites(params).items():
        node = cluster.get("Node", name)
        works(nodes[name], node)
        missing = {f"{key}={value}" for key, value in (("tier", "edge"), ("site", site)) if labels(node).get(key) != value}
        if missing and missing <= set(own_labels(nodes, name)) and has_just_read(nodes[name]):
            nodes[name].settling(f"K3s on {name} has just started, and may not have given its node the labels yet")
        expect(node, next=look).at("metadata.labels").matches({"tier": "edge", "site": site})
    expect(cluster.get("Node", "server"), next=look).at("metadata.labels").matches({"tier": ABSENT, "site": ABSENT})


def works(machine: Any, node: Obj) -> None:
    """Fail unless K3s runs on a machine, and its node is ready. One that keeps ending is Ready until K3s notices."""
    unit = machine.unit("k3s-agent")
    if unit.active == "active" and not is_restless(machine) and is_ready(node):
        return
    state = "ends again and again" if is_restless(machine) else "is not ready" if unit.active == "active" else f"is {unit.active}"
    fail(
        f"Node {machine.name} is not ready" if state == "is not ready" else f"K3s does not run on {machine.name}: unit k3s-agent {state}",
        expected="a node that is Ready",
        actual=f"unit k3s-agent: {unit.active} ({unit.sub})",
        path="status.conditions[Ready].status",
        about=node,
        next=f"sudo journalctl --unit k3s-agent --lines 20, on {machine.name}",
    )


def is_restless(machine: Any) -> bool:
    """Whether K3s on a machine was started again by itself just now."""
    unit = machine.unit("k3s-agent")
    return unit.restarts > 0 and unit.since is not None and machine.time - unit.since < RESTLESS_S


def sites(params: Any) -> dict[str, str]:
    """Where each edge node stands."""
    return dict(zip(EDGES, (params.site_a, params.site_b), strict=True))


def configured(nodes: Any, machine: str, key: str) -> list[str]:
    """A list of K3s's configuration on a machine: ["tier=edge"]."""
    value = nodes[machine].k3s.config.get(key) or []
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def own_labels(nodes: Any, machine: str) -> list[str]:
    """The labels that K3s on a machine gives its node."""
    return [part.strip() for one in configured(nodes, machine, "node-label") for part in one.split(",")]


def has_just_read(machine: Any) -> bool:
    """Whether K3s on a machine has just started, with its configuration as it is now."""
    since = machine.unit("k3s-agent").since
    read = since is not None and all(file.modified <= since for file in machine.k3s.config_files.values())
    return read and machine.time - since < STARTING_S


@diagnose("06.labels", "node-role-in-config")
def node_role_in_config(nodes: Any) -> str | None:
    for machine in EDGES:
        if nodes[machine].unit("k3s-agent").active == "active" and not is_restless(nodes[machine]):
            continue  # the label was taken out again, or K3s has not read it yet
        given = [one for one in configured(nodes, machine, "node-label") if one.startswith(NODE_ROLE)]
        log = " ".join(nodes[machine].unit("k3s-agent").log)
        if given or "labels specified with --node-labels" in log:
            label = given[0].partition("=")[0] if given else "in the domain kubernetes.io"
            return (
                f"K3s on {machine} does not start: a node must not give itself the label {label}. An administrator may, with kubectl label."
            )
    return None


@diagnose("06.labels", "sites-swapped")
def sites_swapped(cluster: Any, params: Any) -> str | None:
    there = [labels(cluster.get("Node", name)).get("site") for name in EDGES]
    return "The two sites have changed places." if there == [params.site_b, params.site_a] else None


@diagnose("06.labels", "server-too")
def server_labelled(cluster: Any) -> str | None:
    both = [key for key in ("tier", "site") if key in labels(cluster.get("Node", "server"))]
    return f"The server has the label {both[0]} as well: pods that look for it will run there, too." if both else None


@diagnose("06.labels", "annotation-instead")
def annotated_instead(cluster: Any) -> str | None:
    for name in EDGES:
        node = cluster.get("Node", name)
        found = [key for key in ("tier", "site") if key in (node["metadata"].get("annotations") or {}) and key not in labels(node)]
        if found:
            return f"Node {name} has {found[0]} as an annotation. Selectors look at labels only."
    return None


@diagnose("06.labels", "config-not-read")
def label_config_not_read(cluster: Any, nodes: Any) -> str | None:
    for name in EDGES:
        there = labels(cluster.get("Node", name))
        missing = [
            one
            for one in own_labels(nodes, name)
            if one.partition("=")[0] in ("tier", "site") and there.get(one.partition("=")[0]) != one.partition("=")[2]
        ]
        if missing:
            return f"The label {missing[0]} stands in the configuration of {name}. K3s reads it when it starts."
    return None


@diagnose("06.labels", "label-differs")
def label_differs(cluster: Any, params: Any) -> str | None:
    for name, site in sites(params).items():
        for key, wanted in (("tier", "edge"), ("site", site)):
            found = {label: value for label, value in labels(cluster.get("Node", name)).items() if label.lower().endswith(key)}
            for label, value in found.items():
                if (label, value) != (key, wanted) and key not in found:
                    return f"Node {name} has the label {label}={value}; a selector for {key} does not find it."
                if label == key and value != wanted and value.lower() == wanted:
                    return f"Node {name} has {key}={value}: labels are compared letter by letter, and {wanted} is written in small letters."
    return None


# 06.taint -------------------------------------------------------------------------------------------------------------------


@check("06.taint", reads=["Node"], settled=False)
def node_taint(cluster: Any, params: Any) -> None:
    wanted = own_taint(params)
    cluster.get("Node", EDGES[0])  # a node that is not there has no taint to miss
    for node in cluster.list("Node"):
        name, found = node["metadata"]["name"], taints(node)
        here = [one for one in found if one.get("key") == KEY]
        if name == EDGES[0] and not any(same_taint(one, wanted) for one in here):
            said = ", ".join(map(taint_text, here or found)) or "none"
            expected = taint_text(wanted)
            fail(
                f"Node {name} does not have the taint {expected}", expected=expected, actual=said, path="spec.taints", about=node, next=LOOK
            )
        if name != EDGES[0] and here:
            said = taint_text(here[0])
            fail(f"Node {name} has a taint {KEY} as well", expected="none", actual=said, path="spec.taints", about=node, next=LOOK)


LOOK = "kubectl describe nodes | grep -i taint"


def same_taint(one: Obj, other: Obj) -> bool:
    """Whether two taints have the same key, value and effect."""
    return all(one.get(part) == other.get(part) for part in ("key", "value", "effect"))


@diagnose("06.taint", "other-node")
def other_node_tainted(cluster: Any) -> str | None:
    tainted = [node["metadata"]["name"] for node in cluster.list("Node") if any(one.get("key") == KEY for one in taints(node))]
    if not tainted or tainted == [EDGES[0]]:
        return None
    if EDGES[0] in tainted:
        return f"The taint is on {names(tainted)}. Only {EDGES[0]} has something that others shall be kept away from."
    return f"The taint is on {names(tainted)}, and the device is attached to {EDGES[0]}."


@diagnose("06.taint", "taint-effect")
def taint_effect(cluster: Any, params: Any) -> str | None:
    means = {"PreferNoSchedule": "asks the scheduler to avoid the node if it can", "NoExecute": "also ends pods that run there already"}
    for one in taints(cluster.get("Node", EDGES[0])):
        if one.get("key") == KEY and one.get("effect") in means:
            return (
                f"The effect {one['effect']} {means[one['effect']]}. {EFFECT} keeps new pods away, and leaves those alone that are there."
            )
    return None


@diagnose("06.taint", "taint-value")
def taint_value(cluster: Any, params: Any) -> str | None:
    for one in taints(cluster.get("Node", EDGES[0])):
        if one.get("key") == KEY and one.get("value") != params.device:
            has = f"the value {one['value']}" if one.get("value") else "no value"
            return f"The taint {KEY} has {has}. A toleration that names the value {params.device} does not fit it."
    return None


@diagnose("06.taint", "label-instead")
def labelled_instead(cluster: Any, params: Any) -> str | None:
    found = labels(cluster.get("Node", EDGES[0]))
    if KEY not in found and params.device not in found:
        return None
    return f"Node {EDGES[0]} has a label {KEY if KEY in found else params.device}: it says something to those who look for it, and keeps nobody away."


@diagnose("06.taint", "config-after-joining")
def taint_config_after_joining(nodes: Any) -> str | None:
    if not any(one.startswith(f"{KEY}=") or one.startswith(f"{KEY}:") for one in configured(nodes, EDGES[0], "node-taint")):
        return None
    return "node-taint in the configuration counts when a node joins for the first time. This one has joined: use kubectl taint."


@diagnose("06.taint", "key-differs")
def taint_key_differs(cluster: Any, params: Any) -> str | None:
    for one in taints(cluster.get("Node", EDGES[0])):
        if one.get("value") == params.device or str(one.get("key", "")).lower().endswith((KEY, params.device)):
            return f"The taint is {taint_text(one)}: its key is {one.get('key')}, and should be {KEY}."
    return None


# 06.sensor ------------------------------------------------------------------------------------------------------------------


@check("06.sensor", needs=["06.labels", "06.taint"], reads=["Deployment", "Node", "Pod", "ReplicaSet"])
def sensor(cluster: Any, params: Any) -> None:
    found, wanted = cluster.get("Deployment", "sensor", namespace=params.namespace), int(params.sensors)
    runs_the_image(found)
    if template_spec(found).get("nodeName"):
        fail(
            "The template names a node itself, so no scheduler looks at it",
            expected="no nodeName",
            actual=template_spec(found)["nodeName"],
            path="spec.template.spec.nodeName",
            about=found,
        )
    only_on(cluster, found, {EDGES[0]})
    expect(found, next="kubectl get deployment sensor").matches({"spec": {"replicas": wanted}})
    expect(found, next="kubectl describe pod").matches({"status": {"availableReplicas": at_least(wanted)}})


def runs_the_image(workload: Obj) -> None:
    """Fail unless the workload runs the image that the tasks name, in whatever container."""
    if not runs_shop(workload):
        found = ", ".join(str(one.get("image")) for one in template_spec(workload).get("containers") or [])
        expected, path = f"a container of image {SHOP}:1", "spec.template.spec.containers[].image"
        fail(f"It runs {found}", expected=expected, actual=found, path=path, about=workload)


@diagnose("06.sensor", "elsewhere")
def sensor_elsewhere(cluster: Any, params: Any) -> str | None:
    return elsewhere(cluster, "Deployment", "sensor", params)


@diagnose("06.sensor", "node-name")
def sensor_node_name(cluster: Any, params: Any) -> str | None:
    spec = template_spec(cluster.get("Deployment", "sensor", namespace=params.namespace))
    if not spec.get("nodeName"):
        return None
    return (
        f"nodeName: {spec['nodeName']} passes the scheduler over: nobody looks at taints, at room, or at whether the node is there at all."
    )


@diagnose("06.sensor", "preferred-only")
def sensor_preferred_only(cluster: Any, params: Any) -> str | None:
    return only_a_wish(cluster, cluster.get("Deployment", "sensor", namespace=params.namespace))


def only_a_wish(cluster: Any, workload: Obj) -> str | None:
    """Says it if a template prefers nodes and requires nothing."""
    spec = template_spec(workload)
    if not prefers(spec) or constrains(spec, cluster.list("Node")):
        return None
    return "The affinity is preferred: a wish. Where it cannot be fulfilled, the pods run elsewhere."


@diagnose("06.sensor", "matches-no-node")
def sensor_matches_no_node(cluster: Any, params: Any) -> str | None:
    return no_such_node(cluster, cluster.get("Deployment", "sensor", namespace=params.namespace))


def no_such_node(cluster: Any, workload: Obj) -> str | None:
    """Says it if no node has what a template requires."""
    spec = template_spec(workload)
    if any(requires(spec, node) for node in cluster.list("Node")):
        return None
    asked = ", ".join(f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items())
    return f"No node has what the template requires{f': {asked}' if asked else ''}. Labels are compared letter by letter."


@diagnose("06.sensor", "toleration-differs")
def toleration_differs(cluster: Any, params: Any) -> str | None:
    spec = template_spec(cluster.get("Deployment", "sensor", namespace=params.namespace))
    if tolerations(spec, own_taint(params)):
        return None
    for one in spec.get("tolerations") or []:
        if one.get("key") == KEY:
            said = ", ".join(f"{part}: {one[part]}" for part in ("operator", "value", "effect") if part in one)
            return f"The toleration ({said}) does not fit the taint {taint_text(own_taint(params))}: key, value and effect all have to."
    return None


@diagnose("06.sensor", "affinity-without-toleration")
def affinity_without_toleration(cluster: Any, params: Any) -> str | None:
    spec = template_spec(cluster.get("Deployment", "sensor", namespace=params.namespace))
    drawn = requires(spec, cluster.get("Node", EDGES[0])) and constrains(spec, cluster.list("Node"))
    if tolerations(spec, own_taint(params)) or not drawn:
        return None
    return f"The pods are drawn to {EDGES[0]}, and do not tolerate its taint {taint_text(own_taint(params))}: new ones are not let in."


@diagnose("06.sensor", "toleration-without-affinity")
def toleration_without_affinity(cluster: Any, params: Any) -> str | None:
    spec = template_spec(cluster.get("Deployment", "sensor", namespace=params.namespace))
    if not tolerations(spec, own_taint(params)) or constrains(spec, cluster.list("Node")):
        return None
    return f"The toleration allows the pods on {EDGES[0]}. Nothing in the template draws them there, so they may run on every other node as well."


# 06.collector ---------------------------------------------------------------------------------------------------------------


@check("06.collector", needs=["06.labels", "06.taint"], reads=["DaemonSet", "Node", "Pod"])
def collector(cluster: Any, params: Any) -> None:
    found = cluster.get("DaemonSet", "collector", namespace=params.namespace)
    runs_the_image(found)
    only_on(cluster, found, set(EDGES))
    ready = {node_of(pod) for pod in live_pods(cluster, found) if is_ready(pod)}
    if ready != set(EDGES):
        fail(
            f"Pods of the DaemonSet are ready on {names(ready)}",
            expected=f"one that is ready on each of {names(EDGES)}",
            actual=names(ready),
            path="status.numberReady",
            about=[*(pod for pod in live_pods(cluster, found) if not is_ready(pod)), found],
            next="kubectl get pods -o wide",
        )
    also_later(cluster, found)


def also_later(cluster: Any, workload: Obj) -> None:
    """Fail unless a node of the tier that is added later would get a pod, too."""
    if requires(template_spec(workload), edge_node_to_come(cluster)):
        return
    fail(
        "The template asks for more than the tier: an edge node that is added later would get no pod",
        expected="nodes of the tier edge, whichever they are",
        actual=what_is_required(template_spec(workload)),
        path="spec.template.spec",
        about=workload,
    )


def edge_node_to_come(cluster: Any) -> Obj:
    """A node of the tier edge with a name and at a site of its own, and what all nodes have in common beside that."""
    common = set.intersection(*(set(labels(node).items()) for node in cluster.list("Node")))
    own = {"tier": "edge", "site": "elsewhere", HOSTNAME: "edge3"}
    return {"metadata": {"name": "edge3", "labels": {**dict(common), **own}}, "spec": {}}


def what_is_required(spec: Obj) -> str:
    """A template's rules about nodes, in one line."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    rules = [one for term in terms for part in ("matchExpressions", "matchFields") for one in term.get(part) or []]
    said = [f"{one.get('key')} {one.get('operator')} {', '.join(one.get('values') or [])}".strip() for one in rules]
    return "; ".join([*(f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items()), *said]) or "nothing"


HOSTNAME = "kubernetes.io/hostname"


@diagnose("06.collector", "elsewhere")
def collector_elsewhere(cluster: Any, params: Any) -> str | None:
    return elsewhere(cluster, "DaemonSet", "collector", params)


@diagnose("06.collector", "matches-no-node")
def collector_matches_no_node(cluster: Any, params: Any) -> str | None:
    return no_such_node(cluster, cluster.get("DaemonSet", "collector", namespace=params.namespace))


@diagnose("06.collector", "one-node-refuses")
def one_node_refuses(cluster: Any, params: Any) -> str | None:
    spec = template_spec(cluster.get("DaemonSet", "collector", namespace=params.namespace))
    if tolerations(spec, own_taint(params)):
        return None
    return (
        f"The pods do not tolerate the taint of {EDGES[0]}. A DaemonSet does not count a node that refuses its pods, so it looks complete."
    )


@diagnose("06.collector", "server-too")
def collector_on_server(cluster: Any, params: Any) -> str | None:
    spec = template_spec(cluster.get("DaemonSet", "collector", namespace=params.namespace))
    if "server" not in may_run_on(spec, cluster.list("Node")):
        return None
    return "Nothing in the template keeps the pods from the server: to a DaemonSet every node is meant that is not excluded."


@diagnose("06.collector", "one-site")
def collector_at_one_site(cluster: Any, params: Any) -> str | None:
    spec = template_spec(cluster.get("DaemonSet", "collector", namespace=params.namespace))
    allowed = [node["metadata"]["name"] for node in cluster.list("Node") if requires(spec, node)]
    return f"What the template requires has only {allowed[0]}." if len(allowed) == 1 else None


# 06.api ---------------------------------------------------------------------------------------------------------------------


@check("06.api", needs=["06.labels", "06.taint"], reads=["Deployment", "Node", "Pod", "ReplicaSet"])
def api(cluster: Any, params: Any) -> None:
    found = the_api(cluster, params)
    only_on(cluster, found, set(EDGES))
    expect(found, next="kubectl describe pod").matches({"status": {"availableReplicas": at_least(1)}})


def the_api(cluster: Any, params: Any) -> Obj:
    """The Deployment that the lab begins with."""
    return cluster.get("Deployment", "api", namespace=params.namespace)


@diagnose("06.api", "matches-no-node")
def api_matches_no_node(cluster: Any, params: Any) -> str | None:
    return no_such_node(cluster, the_api(cluster, params))


@diagnose("06.api", "preferred-only")
def api_preferred_only(cluster: Any, params: Any) -> str | None:
    return only_a_wish(cluster, the_api(cluster, params))


@diagnose("06.api", "server-too")
def api_on_server(cluster: Any, params: Any) -> str | None:
    spec, nodes = template_spec(the_api(cluster, params)), cluster.list("Node")
    if prefers(spec) or "server" not in may_run_on(spec, nodes):
        return None
    return "Nothing in the template keeps the pods from the server."


@diagnose("06.api", "one-node-only")
def api_on_one_node(cluster: Any, params: Any) -> str | None:
    spec, nodes = template_spec(the_api(cluster, params)), cluster.list("Node")
    allowed = may_run_on(spec, nodes)
    if len(allowed) != 1:
        return None
    if not tolerations(spec, own_taint(params)) and len([node for node in nodes if requires(spec, node)]) > 1:
        return f"Both edge nodes have what the template requires, and {EDGES[0]} refuses the pods: they do not tolerate its taint."
    return f"The template binds the pods to {allowed[0]}. Were that node lost, there would be no other to go to."


# 06.failover ----------------------------------------------------------------------------------------------------------------


def patience(cluster: Any, workload: Obj) -> dict[str, float | None]:
    """For how many seconds a workload's pods stay on a lost node, by the taint; None for ever.

    By its template, where the API server's default stands in for what it does not say, and by the pods that there are.
    """
    specs = [template_spec(workload), *(pod["spec"] for pod in live_pods(cluster, workload))]
    found: dict[str, float | None] = {}
    for key, default in default_patience(cluster).items():
        taint = {"key": key, "effect": "NoExecute"}
        times = [patience_s(spec, taint) if tolerations(spec, taint) else default for spec in specs]
        found[key] = None if None in times else max(time for time in times if time is not None)
    return found


def default_patience(cluster: Any) -> dict[str, float]:
    """What the API server adds to pods that say nothing of lost nodes (DefaultTolerationSeconds): 300 seconds, unless it was told otherwise."""
    found = dict.fromkeys(LOST, 300.0)
    told = "\n".join((node["metadata"].get("annotations") or {}).get(NODE_ARGS, "") for node in cluster.list("Node"))
    for key in LOST:
        flag = re.findall(rf"default-{key.rpartition('/')[2]}-toleration-seconds=(\d+)", told)
        found[key] = float(flag[-1]) if flag else found[key]
    return found


def too_patient(cluster: Any, workload: Obj, params: Any) -> dict[str, float | None]:
    """The taints that a workload's pods tolerate for longer than the task allows."""
    return {key: time for key, time in patience(cluster, workload).items() if time is None or time > int(params.patience)}


@probe("06.failover", effect="disturb", needs=["06.api"], objects=["Deployment/{namespace}/api"], deadline_s=180)
def lose_a_node(lab: Any, cluster: Any, params: Any) -> Obj:
    """Stop K3s on the node of a pod, wait until another pod is ready elsewhere, and start K3s again."""
    if too_patient(cluster, the_api(cluster, params), params):
        return {"lost": "", "ready": "", "left": False, "seconds": 0}  # the check says so; there is no need to wait for it
    namespace, owners = params.namespace, {owner_of(pod) for pod in live_pods(cluster, the_api(cluster, params))}

    def own(pods: list[Obj]) -> list[Obj]:
        return [pod for pod in pods if owner_of(pod) in owners and "deletionTimestamp" not in pod["metadata"]]

    before = own(lab.list("Pod", namespace=namespace))
    lost = next((node_of(pod) for pod in before if is_ready(pod) and node_of(pod) in EDGES), "")
    if not lost:
        return {"lost": "", "ready": "", "left": False, "seconds": 0}

    def replaced(pods: list[Obj]) -> bool:
        there = own(pods)
        return all(node_of(pod) != lost for pod in there) and any(is_ready(pod) for pod in there)

    began = time.monotonic()
    lab.on_exit(lambda: lab.run(lost, [SYSTEMCTL, "start", "k3s-agent"], timeout_s=14))
    lab.run(lost, [SYSTEMCTL, "stop", "k3s-agent"], timeout_s=30)
    lab.wait("Pod", namespace=namespace, until=replaced, timeout_s=NOTICED_S + int(params.patience) + 30)
    took = time.monotonic() - began
    after = own(lab.list("Pod", namespace=namespace))
    lab.run(lost, [SYSTEMCTL, "start", "k3s-agent"], timeout_s=30)
    lab.wait("Node", name=lost, until=lambda nodes: all(map(is_ready, nodes)), timeout_s=30)

    def at_rest(pods: list[Obj]) -> bool:
        return all(is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in pods if node_of(pod) == lost)

    lab.wait("Pod", namespace=namespace, until=at_rest, timeout_s=20)
    return {
        "lost": lost,
        "ready": next((node_of(pod) for pod in after if is_ready(pod) and node_of(pod) != lost), ""),
        "left": all(node_of(pod) != lost for pod in after),
        "seconds": round(took),
    }


def owner_of(pod: Obj) -> str:
    """The uid of what made a pod."""
    return next((one["uid"] for one in pod["metadata"].get("ownerReferences") or []), "")


@check("06.failover", needs=["06.api"], reads=["Deployment", "Node", "Pod", "ReplicaSet"], probes=["06.failover"], settled=False)
def failover(cluster: Any, probes: Any, params: Any) -> None:
    found = the_api(cluster, params)
    for key, stays in too_patient(cluster, found, params).items():
        actual = "for ever" if stays is None else f"{stays:g} s"
        fail(
            f"A pod of api stays on a node with the taint {key} {'for' if stays else ''} {actual}".replace("  ", " "),
            expected=f"{params.patience} s at most",
            actual=actual,
            path="spec.template.spec.tolerations",
            about=found,
            next="kubectl get pod -o yaml, below tolerations",
        )
    seen = probes["06.failover"]
    if not seen["lost"]:
        fail("No pod of api was ready on an edge node", expected="a ready pod", actual="none", about=found, next="kubectl get pods -o wide")
    if not seen["left"] or not seen["ready"]:
        actual = "the pod stayed" if not seen["left"] else "no other pod got ready"
        fail(
            f"K3s was stopped on {seen['lost']}, and after {seen['seconds']} s {actual}",
            expected="a pod that is ready on the other edge node",
            actual=actual,
            about=found,
            next="kubectl get events --sort-by=.lastTimestamp",
        )


@diagnose("06.failover", "for-ever")
def stays_for_ever(cluster: Any, params: Any) -> str | None:
    found = the_api(cluster, params)
    endless = [key for key, stays in patience(cluster, found).items() if stays is None]
    if not endless:
        return None
    fitting = tolerations(template_spec(found), {"key": endless[0], "effect": "NoExecute"})
    everything = any(not one.get("key") for one in fitting)
    said = (
        "a toleration without a key tolerates everything, and this one has no end" if everything else "no tolerationSeconds means for ever"
    )
    return f"The pods tolerate {endless[0]} without an end: {said}."


@diagnose("06.failover", "one-of-two")
def one_of_two(cluster: Any, params: Any) -> str | None:
    found = the_api(cluster, params)
    left = too_patient(cluster, found, params)
    if len(left) != 1 or patience(cluster, found) == dict.fromkeys(LOST, 300.0):
        return None
    [key] = left
    when = "does not answer" if key == LOST[0] else "says itself that it is not ready"
    return f"The other taint has your time, {key} has not: it comes when a node {when}."


@diagnose("06.failover", "five-minutes")
def five_minutes(cluster: Any, params: Any) -> str | None:
    if patience(cluster, the_api(cluster, params)) != dict.fromkeys(LOST, 300.0):
        return None
    return "A pod that says nothing about lost nodes stays there for 300 seconds: Kubernetes adds that to every pod."


@diagnose("06.failover", "too-long")
def too_long(cluster: Any, params: Any) -> str | None:
    times = [stays for stays in too_patient(cluster, the_api(cluster, params), params).values() if stays is not None]
    return f"tolerationSeconds counts seconds: {max(times):g} of them are more than {params.patience}." if times else None


# 06.door --------------------------------------------------------------------------------------------------------------------


@probe("06.doors", effect="observe", deadline_s=15)
def knock(lab: Any, nodes: Any, params: Any) -> Obj:
    """Ask for the API's port on every machine."""
    asked = {machine: lab.http(f"http://{machine}:{params.public}/") for machine in nodes}
    return {machine: {"status": one["status"], "body": one["body"][:500], "error": one["error"]} for machine, one in asked.items()}


@check("06.door", reads=["Service", "EndpointSlice", "Deployment", "DaemonSet", "Node", "Pod"], probes=["06.doors"])
def door(cluster: Any, probes: Any, params: Any) -> None:
    found = cluster.get("Service", "api", namespace=params.namespace)
    look = "kubectl get pods --namespace=kube-system -o wide"
    expect(found, next="kubectl get service api").matches({"spec": {"type": "LoadBalancer"}})
    of_the_api = {f"{LB}/svcname": "api", f"{LB}/svcnamespace": params.namespace}
    for keeper in cluster.list("DaemonSet", namespace="kube-system", labels=of_the_api):
        cluster.rely(keeper)
    keepers = cluster.list("Pod", namespace="kube-system", labels=of_the_api)
    where = {node_of(pod) for pod in keepers if node_of(pod)}
    if where != {params.door}:
        fail(
            f"svclb pods of Service api run on {names(where)}",
            expected=f"on {params.door} and nowhere else",
            actual=names(where),
            path="spec.nodeName",
            about=keepers or found,
            next=look,
        )
    answers = probes["06.doors"]
    for machine, answer in answers.items():
        if machine != params.door and answer["status"]:
            actual = str(answer["status"])
            about = [found, *cluster.list("Pod", namespace="kube-system", labels=of_the_api, dying=True)]  # one that ends may answer still
            fail(f"Port {params.public} is open on {machine}", expected="no answer", actual=actual, about=about, next=look)
    own = answers[params.door]
    if own["status"] != 200 or own["body"].splitlines()[:1] != [params.greeting]:
        cluster.endpoints_of(found)  # while pods are replaced, a request may meet none of them
        behind = cluster.find("Deployment", "api", namespace=params.namespace)
        said = str(own["status"] or own["error"] or "no answer")
        expected = f"200, {params.greeting!r}"
        fail(
            f"Port {params.public} of {params.door} does not show the API",
            expected=expected,
            actual=said,
            about=[found, *keepers, *([behind] if behind else [])],
            next=look,
        )


def enabled(cluster: Any) -> dict[str, str]:
    """The nodes that have the label about ServiceLB, and its value."""
    return {node["metadata"]["name"]: labels(node)[ENABLE_LB] for node in cluster.list("Node") if ENABLE_LB in labels(node)}


@diagnose("06.door", "label-value")
def enable_value(cluster: Any) -> str | None:
    wrong = {name: value for name, value in enabled(cluster).items() if value not in ("true", "false")}
    if not wrong:
        return None
    name, value = next(iter(wrong.items()))
    return f"Node {name} has {ENABLE_LB}={value}. Only the value true counts, in these letters."


@diagnose("06.door", "label-elsewhere")
def enable_elsewhere(cluster: Any, params: Any) -> str | None:
    service = cluster.find("Service", "api", namespace=params.namespace)
    if service and not enabled(cluster) and ENABLE_LB in {**labels(service), **(service["metadata"].get("annotations") or {})}:
        return "The label stands on the Service. ServiceLB looks for it on nodes."
    for node in cluster.list("Node"):
        name, annotations = node["metadata"]["name"], node["metadata"].get("annotations") or {}
        if ENABLE_LB in annotations:
            return f"Node {name} has {ENABLE_LB} as an annotation. ServiceLB looks at labels."
        near = [key for key in labels(node) if key != ENABLE_LB and key.rpartition("/")[2].lower() in ("enablelb", "enable-lb", "lbpool")]
        if near and not enabled(cluster):
            return f"Node {name} has the label {near[0]}. What decides is {ENABLE_LB}."
    return None


@diagnose("06.door", "other-node")
def enable_other_node(cluster: Any, params: Any) -> str | None:
    on = [name for name, value in enabled(cluster).items() if value == "true"]
    return f"The label is true on {names(on)}, and not on {params.door}." if on and params.door not in on else None


@diagnose("06.door", "other-nodes-too")
def enable_other_nodes_too(cluster: Any, params: Any) -> str | None:
    on = [name for name, value in enabled(cluster).items() if value == "true"]
    return f"The label is true on {names(on)}: all of them take requests." if len(on) > 1 and params.door in on else None


@diagnose("06.door", "not-true")
def enabled_nowhere(cluster: Any) -> str | None:
    if not enabled(cluster) or "true" in enabled(cluster).values():
        return None
    return f"The label {ENABLE_LB} is true on no node. As soon as one node has it, only those count on which it is true."


@diagnose("06.door", "no-label")
def enable_no_label(cluster: Any) -> str | None:
    return f"No node has the label {ENABLE_LB}. With it you say which nodes take requests." if not enabled(cluster) else None
