"""`cluster`, `nodes` and `probes` as a check sees them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courselab.grade.authors import CheckerMistake, Failure
from courselab.grade.cluster import Cluster, ClusterDown
from courselab.grade.evidence import ClusterState, FileState, Missing, NodeState, PortState, ProbeResult, UnitState
from courselab.grade.nodes import Nodes, ProbeNotRun, Probes
from courselab.grade.record import NotCollected, Record
from courselab.grade.redacted import redact
from courselab.grade.selectors import selects
from courselab.grade.world import World
from tests.unit.grade.builders import (
    deployment,
    endpoint_slice,
    event,
    evidence,
    machine_state,
    namespaces,
    node,
    obj,
    pod,
    replica_set,
    service,
    world,
)

Obj = dict[str, Any]


def cluster(*objects: Any, reads: tuple[str, ...] = ("Deployment", "Pod", "Service", "ReplicaSet"), **parts: Any) -> Cluster:
    return Cluster(world(*objects, **parts), Record(), reads)


def test_get_find_and_list() -> None:
    web, api, dying = deployment("web"), deployment("api", namespace="other"), pod("old", deletionTimestamp="2026-11-24T10:00:00Z")
    view = cluster(web, api, dying, pod("new"))
    assert view.get("Deployment", "web", namespace="shop") is web
    assert view.find("Deployment", "api") is None
    assert [one["metadata"]["name"] for one in view.list("Deployment")] == ["web", "api"]
    assert view.list("Deployment", namespace="other") == [api]
    assert [one["metadata"]["name"] for one in view.list("Pod", labels={"app": "web"})] == ["new"]
    assert len(view.list("Pod", dying=True)) == 2


@pytest.mark.parametrize(
    ("objects", "actual"),
    [
        ([deployment("web", namespace="default"), *namespaces()], "there is one in namespace default"),
        ([deployment("wbe"), *namespaces()], "there is one named wbe"),
        ([deployment("api"), deployment("db"), *namespaces()], "there are: api, db"),
        ([*namespaces("default")], "there is no namespace shop"),
        ([*namespaces()], "no Deployment at all in namespace shop"),
    ],
)
def test_an_object_that_is_not_there_says_what_is(objects: list[Obj], actual: str) -> None:
    with pytest.raises(Failure) as caught:
        cluster(objects).get("Deployment", "web", namespace="shop")
    assert caught.value.actual == actual
    assert caught.value.expected == "Deployment web in namespace shop"
    assert caught.value.message.startswith("There is no Deployment web in namespace shop")


def test_reading_an_undeclared_kind_names_the_fix() -> None:
    with pytest.raises(CheckerMistake, match=r'reads Secret without saying so: add "Secret" to reads='):
        cluster().list("Secret")
    with pytest.raises(CheckerMistake, match="did you mean Deployment"):
        cluster().list("Deploymnet")
    assert Cluster(world(obj("Addon", "a")), Record(), ("AddOn",)).list("AddOn"), "K3s's documentation writes AddOn"


def test_a_list_that_could_not_be_had_is_no_fault_of_the_student() -> None:
    found = evidence(missing=[Missing(what="cluster/Lease", why="403 Forbidden")])
    with pytest.raises(NotCollected, match="403 Forbidden"):
        Cluster(World(found), Record(), ("Lease",)).list("Lease")


def test_relations() -> None:
    web = deployment()
    sets = replica_set(web)
    one, two = pod("web-1", owner=sets), pod("web-2", owner=sets, deletionTimestamp="2026-11-24T10:00:00Z")
    svc = service()
    stray = pod("stray", labels={"app": "other"})
    view = cluster(web, sets, one, two, stray, svc, endpoint_slice(svc, [one]), node(), event(one, "Pulled", "ok", type="Normal"))
    assert view.pods_of(web) == [one]
    assert view.pods_of(svc) == [one]
    assert view.owned_by(web, "ReplicaSet") == [sets]
    assert view.endpoints_of(svc) == [{"ip": "10.42.0.10", "port": 8080, "name": "", "pod": "web-1", "node": ""}]
    assert [found["reason"] for found in view.events_of(one)] == ["Pulled"]
    assert view.images() == ["docker.io/course/web:1", "docker.io/course/web:2"]


def test_the_official_model() -> None:
    model = cluster().typed(deployment(replicas=4))
    assert type(model).__name__ == "V1Deployment"
    assert model.spec.replicas == 4


def test_a_kubernetes_that_does_not_answer_is_a_finding_with_its_unit() -> None:
    units = {"k3s": UnitState(load="loaded", active="failed", sub="failed", exit_code=1, log=["bad config"])}
    down = evidence(cluster=ClusterState(reachable=False, why="connection refused"), nodes={"server": machine_state(units=units)})
    record = Record()
    with pytest.raises(ClusterDown, match=r"K3s does not run on machine server: its unit is failed \(failed\)"):
        Cluster(World(down), record, ("Pod",)).list("Pod")
    assert record.units == [("server", "k3s")]
    assert Cluster(World(down), record, ("Pod",)).reachable is False


def test_a_unit_that_a_busy_machine_did_not_tell_of_is_no_mistake_of_the_checker() -> None:
    found = evidence(nodes={"server": machine_state(units={}, problems=["systemctl did not answer in time"])})
    with pytest.raises(NotCollected, match="On machine server, systemctl did not answer in time"):
        Nodes(World(found), Record())["server"].unit("k3s")


def test_a_cluster_nobody_could_ask_is_no_finding() -> None:
    unknown = evidence(cluster=ClusterState(reachable=False, asked=False, why="machine server does not answer"))
    with pytest.raises(NotCollected, match="machine server does not answer"):
        Cluster(World(unknown), Record(), ("Pod",)).list("Pod")


def test_too_many_objects() -> None:
    found = evidence(pod())
    kinds = {**found.cluster.kinds, "Pod": msgspec.structs.replace(found.cluster.kinds["Pod"], trimmed=500)}
    trimmed = msgspec.structs.replace(found, cluster=msgspec.structs.replace(found.cluster, kinds=kinds))
    view = Cluster(World(trimmed), Record(), ("Pod",))
    assert view.find("Pod", "web-1", namespace="shop")
    with pytest.raises(NotCollected, match="too many objects of kind Pod"):
        view.find("Pod", "web-999", namespace="shop")


SERVER = machine_state(
    files={
        "/etc/app.conf": FileState(exists=True, kind="file", text="a: 1\n\n b: 2 \n", mode="600", owner="root"),
        "/etc/bad.yaml": FileState(exists=True, kind="file", text="a: [1"),
        "/etc/date.yaml": FileState(exists=True, kind="file", text="a: 2026-99-99"),
        "/etc/folder": FileState(exists=True, kind="folder", names=["x"]),
        "/etc/none": FileState(exists=False),
        "/var/lib/rancher/k3s/server/token": FileState(exists=True, kind="file", text=redact("x", "k")),
    },
    ports=[PortState(port=80, address="0.0.0.0"), PortState(port=53, address="127.0.0.53", protocol="udp")],
    sysctls={"net.ipv4.ip_forward": "1", "no.such": None},
    facts={"sans": ["lab.example"]},
    problems=["fact broken: ValueError: no"],
)  # fmt: skip


def nodes(state: NodeState = SERVER) -> Nodes:
    return Nodes(world(nodes={"server": state}), Record())


def test_what_a_machine_says() -> None:
    server = nodes()["server"]
    assert server.unit("k3s.service").active == "active"
    assert server.file("/etc/app.conf").mode == "600"
    assert server.file("/etc/app.conf").lines() == ["a: 1", "b: 2"]
    assert server.file("/etc/none").exists is False
    assert server.file("/etc/folder").names == ["x"]
    assert server.port(80).listening
    assert not server.port(53).listening
    assert server.port(53, "udp").address == "127.0.0.53"
    assert server.sysctl("net.ipv4.ip_forward") == "1"
    assert server.sysctl("no.such") is None
    assert server.fact("sans") == ["lab.example"]
    assert server.k3s.version == "v1.36.3+k3s1"
    assert "secret value of 1 bytes" in server.file("/var/lib/rancher/k3s/server/token").text


def test_what_a_file_cannot_be_read_as() -> None:
    server = nodes()["server"]
    for path, say in (("/etc/none", "There is no file"), ("/etc/folder", "it is a folder"), ("/etc/bad.yaml", "line 2 is not valid YAML")):
        with pytest.raises(Failure, match=say):
            server.file(path).yaml()
    with pytest.raises(Failure, match="not valid YAML"):
        server.file("/etc/date.yaml").yaml()
    with pytest.raises(Failure, match="not valid JSON"):
        server.file("/etc/bad.yaml").json()


def test_what_was_not_asked_for_names_the_fix() -> None:
    server = nodes()["server"]
    with pytest.raises(CheckerMistake, match=r"add it to lab.yaml, collect: server: files: \[/etc/other\]"):
        server.file("/etc/other")
    with pytest.raises(CheckerMistake, match=r"collect: server: units"):
        server.unit("ssh")
    with pytest.raises(CheckerMistake, match=r'write @fact\("other"'):
        server.fact("other")
    with pytest.raises(CheckerMistake, match=r"no machine is called 'agent'"):
        nodes()["agent"]
    with pytest.raises(NotCollected, match="ValueError: no"):
        server.fact("broken")


def test_a_machine_that_does_not_answer() -> None:
    silent = nodes(NodeState(reachable=False, why="no route"))["server"]
    assert silent.reachable is False
    with pytest.raises(NotCollected, match="Machine server does not answer: no route"):
        silent.port(80)


def test_probes() -> None:
    found = world(
        probes={"02.ok": ProbeResult(result=[1]), "02.bad": ProbeResult(error="timeout"), "02.no": ProbeResult(failure={"message": "no"})}
    )
    view = Probes(found, Record(), ("02.ok", "02.bad", "02.no", "02.later"), {"02.later": "needs 02.deploy first"})
    assert view["02.ok"] == [1]
    with pytest.raises(NotCollected, match="timeout"):
        view["02.bad"]
    with pytest.raises(Failure, match="no"):
        view["02.no"]
    with pytest.raises(ProbeNotRun, match=r"needs 02.deploy first"):
        view["02.later"]
    with pytest.raises(CheckerMistake, match=r"02.other without saying so"):
        view["02.other"]


@pytest.mark.parametrize(
    ("selector", "yes", "no"),
    [
        ({"app": "web"}, {"app": "web", "x": "y"}, {"app": "api"}),
        ({"matchLabels": {"app": "web"}}, {"app": "web"}, {}),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, {"app": "b"}, {"app": "c"}),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, {}, {"app": "c"}),
        ("app=web,tier!=db", {"app": "web"}, {"app": "web", "tier": "db"}),
        ("env in (dev, test),!old", {"env": "test"}, {"env": "test", "old": "1"}),
        ("env notin (prod)", {"env": "dev"}, {"env": "prod"}),
        ("app", {"app": ""}, {}),
    ],
)
def test_selectors(selector: Any, yes: dict[str, str], no: dict[str, str]) -> None:
    assert selects(selector, yes)
    assert not selects(selector, no)
