"""Chapter 06: right answers pass however they were reached, wrong ones fail and are named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec

from courselab.grade.evidence import K3sState, NodeState, UnitState
from courselab.grade.judge import judge
from tests.unit.checkers.answers import assert_all_pass, assert_fails, assert_fails_unexplained, each_right, each_wrong
from tests.unit.checkers.fake_cluster import FakeCluster, Obj, objects

ALL = {"labels", "taint", "sensor", "collector", "api", "failover", "door"}
WORKLOADS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: sensor, namespace: {namespace}}
spec:
  replicas: {sensors}
  selector: {matchLabels: {app: sensor}}
  template:
    metadata: {labels: {app: sensor}}
    spec:
      nodeSelector: {site: {site_a}}
      tolerations:
        - {key: device, operator: Equal, value: {device}, effect: NoSchedule}
      containers: [{name: web, image: "course/web:1"}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: collector, namespace: {namespace}}
spec:
  selector: {matchLabels: {app: collector}}
  template:
    metadata: {labels: {app: collector}}
    spec:
      nodeSelector: {tier: edge}
      tolerations: [{key: device, operator: Exists}]
      containers: [{name: web, image: "course/web:1"}]
"""
SURVIVED = {"lost": "edge2", "ready": "edge1", "left": True, "seconds": 31}
ENABLE = "svccontroller.k3s.cattle.io/enablelb"
UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"


def leave_after(seconds: int | str, key: str) -> Obj:
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": int(seconds)}


class Lab:
    """A lab on paper; tests change it, then have it judged."""

    def __init__(self, *, solved: bool = True) -> None:
        self.cluster = FakeCluster("06")
        self.params = self.cluster.params
        there = [obj for path in self.cluster.lab.manifests_folder.glob("*.yaml") for obj in objects(path.read_text(), self.params)]
        self.api = next(obj for obj in there if obj["kind"] == "Deployment")
        self.service = self.cluster.add(next(obj for obj in there if obj["kind"] == "Service"))
        self.sensor, self.collector = objects(WORKLOADS, self.params)
        self.solved = solved
        self.workloads = [self.api]
        self.places: dict[str, list[str]] = {
            "api": ["server"],
            "sensor": ["edge1"] * int(self.params.sensors),
            "collector": ["edge1", "edge2"],
        }
        self.unready: set[str] = set()
        self.doors = {"server", "edge1", "edge2"}
        self.open: set[str] | None = None
        self.survived: Any = SURVIVED if solved else None
        if solved:
            self._solve()

    def _solve(self) -> None:
        self.workloads = [self.api, self.sensor, self.collector]
        for name, site in (("edge1", self.params.site_a), ("edge2", self.params.site_b)):
            self.labels(name).update(tier="edge", site=site)
        self.node("edge1")["spec"]["taints"] = [{"key": "device", "value": self.params.device, "effect": "NoSchedule"}]
        lost = [leave_after(self.params.patience, key) for key in (UNREACHABLE, NOT_READY)]
        spec(self.api).update(nodeSelector={"tier": "edge"}, tolerations=[{"key": "device", "operator": "Exists"}, *lost])
        self.places["api"] = ["edge2"]
        self.labels(self.params.door)[ENABLE] = "true"
        self.doors = {self.params.door}

    def node(self, name: str) -> Obj:
        return self.cluster.find("Node", name)

    def labels(self, name: str) -> dict[str, str]:
        return self.node(name)["metadata"]["labels"]

    def machine(self, name: str, **changes: Any) -> None:
        self.cluster.machines[name] = msgspec.structs.replace(self.cluster.machines[name], **changes)

    def configure(self, name: str, **config: Any) -> None:
        self.machine(name, k3s=K3sState(installed=True, config={key.replace("_", "-"): value for key, value in config.items()}))

    def verdicts(self) -> Any:
        for workload in self.workloads:
            name = workload["metadata"]["name"]
            self.cluster.run_on(workload, self.places[name], ready=name not in self.unready)
        for number, name in enumerate(sorted(self.doors)):
            labels = {"svccontroller.k3s.cattle.io/svcname": "api", "svccontroller.k3s.cattle.io/svcnamespace": self.params.namespace}
            pod = self.cluster.bare_pod(
                f"svclb-api-{number}", {"metadata": {"labels": labels}, "spec": {"containers": []}}, namespace="kube-system"
            )
            pod["spec"]["nodeName"] = name
        self.service["status"] = {"loadBalancer": {"ingress": [{"ip": self.cluster.machines[name].address} for name in sorted(self.doors)]}}
        pods = [obj for obj in self.cluster.objects if obj["kind"] == "Pod" and obj["metadata"].get("labels") == {"app": "api"}]
        self.cluster.add(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "api-x", "namespace": self.params.namespace, "labels": {"kubernetes.io/service-name": "api"}},
                "endpoints": [{"addresses": ["10.42.1.9"], "targetRef": {"name": pod["metadata"]["name"]}} for pod in pods],
            }
        )
        opened = self.doors if self.open is None else self.open
        answers = {
            name: {"status": 200, "body": f"{self.params.greeting}\nversion: 1\n", "error": ""}
            if name in opened
            else {"status": 0, "body": "", "error": "connection refused"}
            for name in self.cluster.machines
        }
        self.cluster.probe("06.doors", answers)
        if self.survived is not None:
            self.cluster.probe("06.failover", self.survived)
        return self.cluster.verdicts()

    def passed(self) -> set[str]:
        return {name for name, one in self.verdicts().items() if one.passed}


def spec(workload: Obj) -> Obj:
    return workload["spec"]["template"]["spec"]


def test_the_solved_lab_passes_everything() -> None:
    assert Lab().passed() == ALL


def test_the_untouched_lab_passes_nothing() -> None:
    verdicts = Lab(solved=False).verdicts()
    assert not [name for name, one in verdicts.items() if one.passed or one.credit]
    assert {name for name, one in verdicts.items() if one.verdict.value == "fail"} == {"labels", "taint", "door"}


# Right answers reached another way ------------------------------------------------------------------------------------------


def affinity(key: str, operator: str, *values: str) -> Obj:
    expression = {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
    term = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}


def by_affinity(lab: Lab) -> None:
    del spec(lab.sensor)["nodeSelector"]
    spec(lab.sensor)["affinity"] = affinity("site", "In", lab.params.site_a)


def by_host_name(lab: Lab) -> None:
    spec(lab.sensor)["nodeSelector"] = {"kubernetes.io/hostname": "edge1"}


def by_tier_and_site(lab: Lab) -> None:
    spec(lab.sensor)["nodeSelector"] = {"tier": "edge", "site": lab.params.site_a}


def by_field(lab: Lab) -> None:
    """metadata.name is a field of the node, not a label."""
    del spec(lab.sensor)["nodeSelector"]
    fields = [{"key": "metadata.name", "operator": "In", "values": ["edge1"]}]
    term = {"nodeSelectorTerms": [{"matchFields": fields}]}
    spec(lab.sensor)["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}


def excluded_instead(lab: Lab) -> None:
    """Not where the other two stand: the server has no site at all."""
    spec(lab.sensor)["nodeSelector"] = {"tier": "edge"}
    spec(lab.sensor)["affinity"] = affinity("site", "NotIn", lab.params.site_b)


def a_toleration_for_every_device(lab: Lab) -> None:
    spec(lab.sensor)["tolerations"] = [{"key": "device", "operator": "Exists", "effect": "NoSchedule"}]


def a_toleration_of_every_effect(lab: Lab) -> None:
    spec(lab.sensor)["tolerations"] = [{"key": "device", "value": lab.params.device}]


def a_preference_beside_the_rule(lab: Lab) -> None:
    spec(lab.sensor)["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}}


def more_taints(lab: Lab) -> None:
    """The device's taint with two effects; pods tolerate both."""
    lab.node("edge1")["spec"]["taints"].append({"key": "device", "value": lab.params.device, "effect": "PreferNoSchedule"})


def a_taint_on_the_server(lab: Lab) -> None:
    lab.node("server")["spec"]["taints"] = [{"key": "CriticalAddonsOnly", "value": "true", "effect": "NoExecute"}]


def cordoned_for_a_moment(lab: Lab) -> None:
    lab.node("edge2")["spec"].update(unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])


def more_labels(lab: Lab) -> None:
    lab.labels("edge1").update({"node-role.kubernetes.io/edge": "true", "topology.kubernetes.io/zone": "a"})
    lab.labels("server")["role"] = "brain"


def labels_by_config(lab: Lab) -> None:
    lab.configure("edge1", node_label=["tier=edge", f"site={lab.params.site_a}"])
    lab.configure("edge2", node_label=f"tier=edge,site={lab.params.site_b}")


def api_by_not_control_plane(lab: Lab) -> None:
    del spec(lab.api)["nodeSelector"]
    spec(lab.api)["affinity"] = affinity("node-role.kubernetes.io/control-plane", "DoesNotExist")


def api_by_host_names(lab: Lab) -> None:
    del spec(lab.api)["nodeSelector"]
    spec(lab.api)["affinity"] = affinity("kubernetes.io/hostname", "In", "edge1", "edge2")


def collector_by_exists(lab: Lab) -> None:
    del spec(lab.collector)["nodeSelector"]
    spec(lab.collector)["affinity"] = affinity("tier", "Exists")


def collector_tolerates_everything(lab: Lab) -> None:
    spec(lab.collector)["tolerations"] = [{"operator": "Exists"}]


def a_sidecar(lab: Lab) -> None:
    for workload in (lab.sensor, lab.collector):
        spec(workload)["containers"].insert(0, {"name": "log", "image": "busybox"})


def full_image_name(lab: Lab) -> None:
    spec(lab.sensor)["containers"][0]["image"] = "docker.io/course/web:1"


def one_pod_on_each(lab: Lab) -> None:
    lab.api["spec"]["replicas"] = 2
    lab.places["api"] = ["edge1", "edge2"]


def api_on_the_other_node(lab: Lab) -> None:
    lab.places["api"] = ["edge1"]
    lab.survived = {**SURVIVED, "lost": "edge1", "ready": "edge2"}


def leaves_at_once(lab: Lab) -> None:
    for one in spec(lab.api)["tolerations"][1:]:
        one["tolerationSeconds"] = 0


def no_effect_named(lab: Lab) -> None:
    """Without an effect a toleration fits all of them."""
    for one in spec(lab.api)["tolerations"][1:]:
        del one["effect"]


def short_beside_long(lab: Lab) -> None:
    """Of two that fit the shorter counts."""
    spec(lab.api)["tolerations"] += [leave_after(300, UNREACHABLE), leave_after(300, NOT_READY)]


def others_say_false(lab: Lab) -> None:
    for name in ("server", "edge1", "edge2"):
        lab.labels(name).setdefault(ENABLE, "false")


def by_pool(lab: Lab) -> None:
    """A pool of one node, for this Service; the others are enabled for other Services."""
    for name in ("server", "edge1", "edge2"):
        lab.labels(name)[ENABLE] = "true"
    lab.labels(lab.params.door)["svccontroller.k3s.cattle.io/lbpool"] = "api"
    lab.service["metadata"]["labels"] = {"svccontroller.k3s.cattle.io/lbpool": "api"}


def an_agent_started_again_long_ago(lab: Lab) -> None:
    unit = UnitState(load="loaded", active="active", sub="running", since=100.0, restarts=2)
    lab.machine("edge1", time=1000.0, units={"k3s": UnitState(), "k3s-agent": unit})


RIGHT = [
    by_affinity,
    by_host_name,
    by_tier_and_site,
    by_field,
    excluded_instead,
    a_toleration_for_every_device,
    a_toleration_of_every_effect,
    a_preference_beside_the_rule,
    more_taints,
    a_taint_on_the_server,
    cordoned_for_a_moment,
    more_labels,
    labels_by_config,
    api_by_not_control_plane,
    api_by_host_names,
    collector_by_exists,
    collector_tolerates_everything,
    a_sidecar,
    full_image_name,
    one_pod_on_each,
    api_on_the_other_node,
    leaves_at_once,
    no_effect_named,
    short_beside_long,
    others_say_false,
    by_pool,
    an_agent_started_again_long_ago,
]


@each_right(RIGHT)
def test_right_answers_pass_however_they_were_reached(change: Callable[[Lab], None]) -> None:
    lab = Lab()
    change(lab)
    assert_all_pass(lab)


# Wrong answers --------------------------------------------------------------------------------------------------------------

Change = Callable[[Lab], Any]


def sites_swapped(lab: Lab) -> None:
    lab.labels("edge1")["site"], lab.labels("edge2")["site"] = lab.labels("edge2")["site"], lab.labels("edge1")["site"]


def label(name: str, key: str, value: str | None) -> Change:
    def change(lab: Lab) -> None:
        lab.labels(name).pop(key, None)
        if value is not None:
            lab.labels(name)[key] = lab.params.fill(value)

    return change


def annotated(lab: Lab) -> None:
    lab.node("edge1")["metadata"]["annotations"] = {"tier": lab.labels("edge1").pop("tier")}


def label_renamed(lab: Lab) -> None:
    lab.labels("edge1")["node.kubernetes.io/tier"] = lab.labels("edge1").pop("tier")


def label_capital(lab: Lab) -> None:
    lab.labels("edge1")["Tier"] = lab.labels("edge1").pop("tier")


def label_only_in_config(lab: Lab) -> None:
    lab.configure("edge2", node_label=["tier=edge", f"site={lab.labels('edge2').pop('site')}"])


def role_in_config(lab: Lab) -> None:
    lab.configure("edge1", node_label=["node-role.kubernetes.io/edge=true"])
    lab.machine("edge1", units={"k3s-agent": UnitState(load="loaded", active="activating", sub="auto-restart", restarts=3)})


def role_in_config_between_two_crashes(lab: Lab) -> None:
    """The unit is up for a second, and the node still counts as Ready."""
    log = ["unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/edge]"]
    unit = UnitState(load="loaded", active="active", sub="running", since=998.0, restarts=4, log=log)
    lab.machine("edge1", time=1000.0, units={"k3s-agent": unit})


def stopped(lab: Lab) -> None:
    lab.machine("edge2", units={"k3s-agent": UnitState(load="loaded", active="inactive", sub="dead")})


def not_ready(lab: Lab) -> None:
    lab.node("edge2")["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]


def gone(lab: Lab) -> None:
    lab.cluster.objects.remove(lab.node("edge2"))


def taint(text: str, *, node: str = "edge1") -> Change:
    def change(lab: Lab) -> None:
        lab.node("edge1")["spec"]["taints"] = []
        pair, _, effect = lab.params.fill(text).partition(":")
        key, _, value = pair.partition("=")
        lab.node(node)["spec"]["taints"] = [{"key": key, "effect": effect, **({"value": value} if value else {})}]

    return change


def no_taint(lab: Lab) -> None:
    lab.node("edge1")["spec"]["taints"] = []


def taint_everywhere(lab: Lab) -> None:
    for name in ("server", "edge2"):
        lab.node(name)["spec"]["taints"] = copy.deepcopy(lab.node("edge1")["spec"]["taints"])


def device_label(lab: Lab) -> None:
    no_taint(lab)
    lab.labels("edge1")["device"] = lab.params.device


def taint_only_in_config(lab: Lab) -> None:
    no_taint(lab)
    lab.configure("edge1", node_taint=[f"device={lab.params.device}:NoSchedule"])


def change_spec(name: str, **changes: Any) -> Change:
    def change(lab: Lab) -> None:
        for key, value in changes.items():
            spec(getattr(lab, name))[key] = value
            if value is None:
                del spec(getattr(lab, name))[key]

    return change


def pending_sensors(lab: Lab) -> None:
    del spec(lab.sensor)["tolerations"]
    lab.places["sensor"] = [""] * int(lab.params.sensors)
    lab.unready.add("sensor")


def sensors_from_before_the_taint(lab: Lab) -> None:
    """They run where they should, and no new one would."""
    del spec(lab.sensor)["tolerations"]


def sensors_at_the_other_site(lab: Lab) -> None:
    """Without a toleration, and they need none there."""
    change_spec("sensor", nodeSelector={"site": lab.params.site_b}, tolerations=None)(lab)
    lab.places["sensor"] = ["edge2"] * int(lab.params.sensors)


def wish(name: str) -> Change:
    def change(lab: Lab) -> None:
        del spec(getattr(lab, name))["nodeSelector"]
        preference = {"matchExpressions": [{"key": "site", "operator": "In", "values": [lab.params.site_a]}]}
        preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": preference}]}
        spec(getattr(lab, name))["affinity"] = {"nodeAffinity": preferred}

    return change


def sensor_toleration(**toleration: str) -> Change:
    return lambda lab: spec(lab.sensor).update(tolerations=[{key: lab.params.fill(value) for key, value in toleration.items()}])


def one_sensor_too_few(lab: Lab) -> None:
    lab.sensor["spec"]["replicas"] = 1


def a_sensor_astray(lab: Lab) -> None:
    """A pod that was given to its node before the template said so."""
    lab.places["sensor"][0] = "edge2"


def moved(name: str) -> Change:
    return lambda lab: getattr(lab, name)["metadata"].update(namespace="default")


def without(name: str) -> Change:
    return lambda lab: lab.workloads.remove(getattr(lab, name))


def collector_as_deployment(lab: Lab) -> None:
    lab.workloads.remove(lab.collector)
    other = copy.deepcopy(lab.collector)
    other.update(kind="Deployment")
    other["spec"]["replicas"] = 2
    lab.workloads.append(other)


def other_image(name: str) -> Change:
    return lambda lab: spec(getattr(lab, name))["containers"][0].update(image="nginx")


def collector_not_ready(lab: Lab) -> None:
    lab.unready.add("collector")


def collector_on_one_node(lab: Lab) -> None:
    del spec(lab.collector)["tolerations"]
    lab.places["collector"] = ["edge2"]


def collector_on_the_server_too(lab: Lab) -> None:
    del spec(lab.collector)["nodeSelector"]
    lab.places["collector"] = ["edge1", "edge2", "server"]


def collector_lists_nodes(lab: Lab) -> None:
    del spec(lab.collector)["nodeSelector"]
    spec(lab.collector)["affinity"] = affinity("kubernetes.io/hostname", "In", "edge1", "edge2")


def collector_at_one_site(lab: Lab) -> None:
    spec(lab.collector)["nodeSelector"] = {"site": lab.params.site_a}
    lab.places["collector"] = ["edge1"]


def api_untouched(lab: Lab) -> None:
    del spec(lab.api)["nodeSelector"]
    spec(lab.api)["tolerations"] = []
    lab.places["api"] = ["server"]


def api_refused_by_one(lab: Lab) -> None:
    spec(lab.api)["tolerations"] = spec(lab.api)["tolerations"][1:]


def api_bound_to_a_site(lab: Lab) -> None:
    spec(lab.api)["nodeSelector"] = {"site": lab.params.site_b}


def api_tolerations(*tolerations: Obj) -> Change:
    return lambda lab: spec(lab.api).update(tolerations=[{"key": "device", "operator": "Exists"}, *tolerations])


def survived(**changes: Any) -> Change:
    return lambda lab: setattr(lab, "survived", {**SURVIVED, **changes})


def minutes_for_seconds(lab: Lab) -> None:
    for one in spec(lab.api)["tolerations"][1:]:
        one["tolerationSeconds"] *= 60


def doors(*nodes: str, value: str = "true") -> Change:
    def change(lab: Lab) -> None:
        for name in ("server", "edge1", "edge2"):
            lab.labels(name).pop(ENABLE, None)
        for name in nodes:
            lab.labels(name.replace("DOOR", lab.params.door))[ENABLE] = value
        lab.doors = {name.replace("DOOR", lab.params.door) for name in nodes} if value == "true" else set()

    return change


def no_door_label(lab: Lab) -> None:
    del lab.labels(lab.params.door)[ENABLE]
    lab.doors = {"server", "edge1", "edge2"}


def others_alone_say_false(lab: Lab) -> None:
    """Who is not wanted is named, and nobody who is."""
    others_say_false(lab)
    del lab.labels(lab.params.door)[ENABLE]
    lab.doors = set()


def door_label_on_the_service(lab: Lab) -> None:
    no_door_label(lab)
    lab.service["metadata"]["labels"] = {ENABLE: "true"}


def door_annotation(lab: Lab) -> None:
    no_door_label(lab)
    lab.node(lab.params.door)["metadata"]["annotations"] = {ENABLE: "true"}


def door_label_misspelt(lab: Lab) -> None:
    no_door_label(lab)
    lab.labels(lab.params.door)["svccontroller.k3s.io/enablelb"] = "true"


def only_a_pool(lab: Lab) -> None:
    """lbpool counts only on nodes that have enablelb."""
    no_door_label(lab)
    lab.labels(lab.params.door)["svccontroller.k3s.cattle.io/lbpool"] = "api"


def a_host_port_of_its_own(lab: Lab) -> None:
    lab.open = {lab.params.door, "edge1"}


def closed(lab: Lab) -> None:
    lab.open = set()


def not_a_load_balancer(lab: Lab) -> None:
    lab.service["spec"]["type"] = "NodePort"
    lab.doors = set()


OTHER = "edge1"  # no student's door
WRONG: list[tuple[Change, str, str]] = [
    (sites_swapped, "labels", "sites-swapped"),
    (label("edge1", "tier", None), "labels", ""),
    (label("edge2", "site", None), "labels", ""),
    (label("edge1", "tier", "Edge"), "labels", "label-differs"),
    (label_capital, "labels", "label-differs"),
    (label("server", "tier", "edge"), "labels", "server-too"),
    (label("server", "site", "{site_a}"), "labels", "server-too"),
    (label("edge2", "site", "{site_a}"), "labels", ""),
    (annotated, "labels", "annotation-instead"),
    (label_renamed, "labels", "label-differs"),
    (label_only_in_config, "labels", "config-not-read"),
    (role_in_config, "labels", "node-role-in-config"),
    (role_in_config_between_two_crashes, "labels", "node-role-in-config"),
    (stopped, "labels", ""),
    (not_ready, "labels", ""),
    (gone, "labels", ""),
    (no_taint, "taint", ""),
    (taint("device={device}:NoExecute"), "taint", "taint-effect"),
    (taint("device={device}:PreferNoSchedule"), "taint", "taint-effect"),
    (taint("device:NoSchedule"), "taint", "taint-value"),
    (taint("device=true:NoSchedule"), "taint", "taint-value"),
    (taint("edge=true:NoSchedule"), "taint", ""),
    (taint("{device}:NoSchedule"), "taint", "key-differs"),
    (taint("devices={device}:NoSchedule"), "taint", "key-differs"),
    (taint("device={device}:NoSchedule", node="edge2"), "taint", "other-node"),
    (taint_everywhere, "taint", "other-node"),
    (device_label, "taint", "label-instead"),
    (taint_only_in_config, "taint", "config-after-joining"),
    (without("sensor"), "sensor", ""),
    (moved("sensor"), "sensor", "elsewhere"),
    (other_image("sensor"), "sensor", ""),
    (change_spec("sensor", nodeSelector=None), "sensor", "toleration-without-affinity"),
    (pending_sensors, "sensor", "affinity-without-toleration"),
    (sensors_from_before_the_taint, "sensor", "affinity-without-toleration"),
    (wish("sensor"), "sensor", "preferred-only"),
    (change_spec("sensor", nodeName="edge1"), "sensor", "node-name"),
    (change_spec("sensor", nodeSelector={"site": "moon"}), "sensor", "matches-no-node"),
    (change_spec("sensor", nodeSelector={"tier": "edge"}), "sensor", ""),
    (sensor_toleration(key="device", operator="Equal", value="true", effect="NoSchedule"), "sensor", "toleration-differs"),
    (sensor_toleration(key="device", operator="Exists", effect="NoExecute"), "sensor", "toleration-differs"),
    (sensor_toleration(key="device", value="{device}", effect="PreferNoSchedule"), "sensor", "toleration-differs"),
    (sensor_toleration(key="{device}", operator="Exists"), "sensor", "affinity-without-toleration"),
    (one_sensor_too_few, "sensor", ""),
    (a_sensor_astray, "sensor", ""),
    (without("collector"), "collector", ""),
    (moved("collector"), "collector", "elsewhere"),
    (collector_as_deployment, "collector", "elsewhere"),
    (other_image("collector"), "collector", ""),
    (collector_on_one_node, "collector", "one-node-refuses"),
    (collector_on_the_server_too, "collector", "server-too"),
    (collector_not_ready, "collector", ""),
    (collector_lists_nodes, "collector", ""),
    (collector_at_one_site, "collector", "one-site"),
    (change_spec("collector", nodeSelector={"tier": "Edge"}), "collector", "matches-no-node"),
    (api_untouched, "api", "server-too"),
    (change_spec("api", nodeSelector=None), "api", "server-too"),
    (api_refused_by_one, "api", "one-node-only"),
    (api_bound_to_a_site, "api", "one-node-only"),
    (change_spec("api", nodeSelector={"tier": "edges"}), "api", "matches-no-node"),
    (wish("api"), "api", "preferred-only"),
    (api_tolerations(), "failover", "five-minutes"),
    (api_tolerations({"operator": "Exists"}), "failover", "for-ever"),
    (api_tolerations({"key": UNREACHABLE, "operator": "Exists"}, leave_after(5, NOT_READY)), "failover", "for-ever"),
    (api_tolerations(leave_after(1, UNREACHABLE)), "failover", "one-of-two"),
    (api_tolerations(leave_after(1, NOT_READY)), "failover", "one-of-two"),
    (api_tolerations(leave_after(30, NOT_READY), leave_after(30, UNREACHABLE)), "failover", "too-long"),
    (minutes_for_seconds, "failover", "too-long"),
    (survived(lost=""), "failover", ""),
    (survived(ready=""), "failover", ""),
    (survived(left=False, ready=""), "failover", ""),
    (doors("DOOR", value="yes"), "door", "label-value"),
    (doors("DOOR", value="True"), "door", "label-value"),
    (doors("DOOR", value="false"), "door", "not-true"),
    (others_alone_say_false, "door", "not-true"),
    (doors(OTHER), "door", "other-node"),
    (doors("DOOR", OTHER), "door", "other-nodes-too"),
    (no_door_label, "door", "no-label"),
    (door_label_on_the_service, "door", "label-elsewhere"),
    (door_annotation, "door", "label-elsewhere"),
    (door_label_misspelt, "door", "label-elsewhere"),
    (only_a_pool, "door", "label-elsewhere"),
    (a_host_port_of_its_own, "door", ""),
    (closed, "door", ""),
    (not_a_load_balancer, "door", ""),
]


@each_wrong(WRONG)
def test_wrong_answers_fail_and_are_named(change: Change, task: str, diagnosis: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails(lab, task, diagnosis)


def test_a_role_that_was_taken_out_again_is_not_blamed_for_what_is_missing_now() -> None:
    lab = Lab()
    log = [
        "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/edge]",
        "k3s agent is up and running",
    ]
    unit = UnitState(load="loaded", active="active", sub="running", since=900.0, restarts=4, log=log)
    lab.machine("edge1", time=1000.0, units={"k3s-agent": unit})
    del lab.labels("edge2")["site"]
    assert lab.verdicts()["labels"].diagnosis == ""


def test_a_toleration_of_another_effect_is_not_blamed_for_one_without_an_end() -> None:
    lab = Lab()
    endless = {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute"}
    spec(lab.api)["tolerations"] = [{"operator": "Exists", "effect": "NoSchedule"}, endless, leave_after(1, NOT_READY)]
    found = lab.verdicts()["failover"]
    assert (found.diagnosis, "no tolerationSeconds" in found.message) == ("for-ever", True)


def test_pods_that_are_drawn_elsewhere_do_not_lack_a_toleration() -> None:
    lab = Lab()
    sensors_at_the_other_site(lab)
    assert_fails_unexplained(lab, "sensor", lab.cluster.checker.diagnoses)


def has_just_started(lab: Lab, **config: Any) -> None:
    """K3s on edge1, with this configuration."""
    lab.configure("edge1", **config)
    lab.machine("edge1", time=1000.0, units={"k3s-agent": UnitState(load="loaded", active="active", sub="running", since=990.0)})


def test_labels_that_k3s_is_about_to_give_are_waited_for() -> None:
    lab = Lab()
    has_just_started(lab, node_label=f"tier=edge,site={lab.labels('edge1').pop('site')}")
    assert lab.verdicts()["labels"].verdict.value == "waiting"


def test_a_wrong_label_is_not_waited_for_and_good_ones_between_commas_are_not_blamed() -> None:
    lab = Lab()
    has_just_started(lab, node_label=f"tier=edge,site={lab.params.site_a}")
    del lab.labels("edge2")["site"]
    found = lab.verdicts()["labels"]
    assert (found.verdict.value, found.diagnosis) == ("fail", "")


def test_a_port_is_open_for_as_long_as_its_keeper_takes_to_end() -> None:
    lab = Lab()
    lab.doors |= {"edge1"}
    lab.verdicts()
    evidence = lab.cluster.evidence()
    keeper = next(
        pod for pod in evidence.cluster.kinds["Pod"].items if pod["spec"].get("nodeName") == "edge1" and "svclb" in pod["metadata"]["name"]
    )
    keeper["metadata"]["deletionTimestamp"] = "2026-11-28T10:00:00Z"
    door = next(one for one in judge(lab.cluster.checker, evidence) if one.id == "06.door")
    assert (door.verdict.value, door.waits_for) == ("waiting", f"Pod {keeper['metadata']['name']} is being deleted")


def test_a_machine_that_does_not_answer_is_no_mistake_of_the_student() -> None:
    lab = Lab()
    lab.cluster.machines["edge1"] = NodeState(reachable=False, why="It is off.")
    assert lab.verdicts()["labels"].verdict.value == "error"


def test_the_experiment_is_waited_for() -> None:
    lab = Lab()
    lab.survived = None
    assert lab.verdicts()["failover"].verdict.value == "blocked"


def test_a_door_that_leads_nowhere_waits_while_the_pods_behind_it_are_replaced() -> None:
    lab = Lab()
    lab.open = set()
    assert lab.verdicts()["door"].verdict.value == "fail"
    evidence = lab.cluster.evidence()
    slices = evidence.cluster.kinds["EndpointSlice"]
    slices.changed[slices.items[0]["metadata"]["uid"]] = lab.cluster.machines["server"].time - 1
    door = next(one for one in judge(lab.cluster.checker, evidence) if one.id == "06.door")
    assert (door.verdict.value, door.waits_for) == ("waiting", "EndpointSlice api-x has just been changed")
