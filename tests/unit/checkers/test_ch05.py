"""Chapter 05: right answers pass however they were reached, wrong ones fail and are named. And what is read of units, files and tokens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from courselab.grade.checker import load_module
from courselab.grade.evidence import NodeState, UnitState
from tests.unit.checkers.answers import assert_all_pass, assert_fails, each_right, each_wrong
from tests.unit.checkers.fake_cluster import COURSE, FakeCluster, Obj, objects

ALL = {"agent", "secure", "bootstrap", "cluster", "overlay"}
CA, OTHER_CA = "ab" * 32, "cd" * 32
RUNS = UnitState(load="loaded", active="active", sub="running", enabled="enabled", since=0.5)
VISITOR = """
apiVersion: v1
kind: Pod
metadata: {name: visitor, namespace: {namespace}}
spec:
  nodeSelector: {kubernetes.io/hostname: edge1}
  containers: [{name: tools, image: "course/tools:1"}]
"""
MADE, IN_AN_HOUR = "2026-11-28T10:00:00Z", "2026-11-28T11:00:00Z"


class Lab:
    """A lab on paper; tests change it, then have it judged."""

    def __init__(self, *, solved: bool = True) -> None:
        self.cluster = FakeCluster("05")
        self.params = self.cluster.params
        there = [obj for path in self.cluster.lab.manifests_folder.glob("*.yaml") for obj in objects(path.read_text(), self.params)]
        self.shop = next(obj for obj in there if obj["kind"] == "Deployment")
        self.service = self.cluster.add(next(obj for obj in there if obj["kind"] == "Service"))
        self.old = next(obj for obj in there if obj["kind"] == "Node")
        [self.visitor] = objects(VISITOR, self.params)
        self.place: str | None = "edge1" if solved else None
        self.shop_on = "edge2" if solved else ""
        self.tokens: Obj = {"ca": CA, "bootstrap": {}}
        self.joined: dict[str, Obj] = {name: {"server": "", "kind": "none", "id": "", "ca": ""} for name in ("edge1", "edge2")}
        self.answer: Obj = {"code": 0, "body": f"{self.params.greeting}\nversion: 1\n", "error": ""}
        if solved:
            self._solve()
        else:
            self.cluster.add(self.old)

    def _solve(self) -> None:
        for name in ("edge1", "edge2"):
            self.unit(name, "k3s-agent", RUNS)
            self.cluster.join(name)
            self.joined[name].update(server=f"https://{self.cluster.machines['server'].address}:6443", kind="server", ca=CA)
        self.joined["edge2"].update(kind="bootstrap", id="abc123")
        self.tokens["bootstrap"] = {"abc123": IN_AN_HOUR}
        self.cluster.add(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "bootstrap-token-abc123", "namespace": "kube-system", "creationTimestamp": MADE},
            }
        )

    def unit(self, machine: str, unit: str, state: UnitState) -> None:
        found = self.cluster.machines[machine]
        self.cluster.machines[machine] = msgspec.structs.replace(found, units={**found.units, unit: state})

    def node(self, name: str) -> Obj:
        return self.cluster.find("Node", name)

    def verdicts(self) -> Any:
        for name, joined in self.joined.items():
            self.cluster.machines[name] = msgspec.structs.replace(self.cluster.machines[name], facts={"join": joined})
        self.cluster.machines["server"] = msgspec.structs.replace(self.cluster.machines["server"], facts={"tokens": self.tokens})
        self.cluster.run_on(self.shop, [self.shop_on], ready=bool(self.shop_on))
        pods = [obj for obj in self.cluster.objects if obj["kind"] == "Pod"]
        endpoints = [
            {"addresses": ["10.42.2.3"], "nodeName": pod["spec"].get("nodeName", ""), "targetRef": {"name": pod["metadata"]["name"]}}
            for pod in pods
            if pod["spec"].get("nodeName")
        ]
        self.cluster.add(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "shop-x", "namespace": self.params.namespace, "labels": {"kubernetes.io/service-name": "shop"}},
                "endpoints": endpoints,
            }
        )
        if self.place is not None:
            metadata, spec = self.visitor["metadata"], self.visitor["spec"]
            pod = self.cluster.bare_pod("visitor", {"metadata": {}, "spec": spec}, namespace=metadata["namespace"])
            pod["spec"]["nodeName"] = self.place
        self.cluster.probe("05.visit", self.answer)
        return self.cluster.verdicts()


def test_the_solved_lab_passes_everything() -> None:
    assert {name for name, one in Lab().verdicts().items() if one.passed} == ALL


def test_the_untouched_lab_passes_nothing() -> None:
    verdicts = Lab(solved=False).verdicts()
    assert not [name for name, one in verdicts.items() if one.passed or one.credit]
    assert {name for name, one in verdicts.items() if one.verdict.value == "fail"} == {"agent", "bootstrap"}


# Right answers reached another way ------------------------------------------------------------------------------------------


def the_agents_own_token(lab: Lab) -> None:
    """K10…::node:… is what a server with an agent-token gives to agents."""
    lab.joined["edge1"]["kind"] = "node"


def both_by_bootstrap_token(lab: Lab) -> None:
    lab.joined["edge1"].update(kind="bootstrap", id="xyz789")


def a_token_that_has_ended(lab: Lab) -> None:
    lab.tokens["bootstrap"] = {}
    lab.cluster.remove("Secret")


def a_token_for_exactly_these_hours(lab: Lab) -> None:
    lab.tokens["bootstrap"] = {"abc123": f"2026-11-28T{10 + int(lab.params.hours)}:00:01Z"}


def a_token_that_was_just_deleted(lab: Lab) -> None:
    """K3s's list still had it."""
    lab.cluster.remove("Secret")


def more_bootstrap_tokens(lab: Lab) -> None:
    lab.tokens["bootstrap"]["zzzzzz"] = "<never>"


def the_server_by_name(lab: Lab) -> None:
    """A name of one's own in /etc/hosts."""
    lab.joined["edge1"]["server"] = "https://k3s.home:6443/"


def a_role_by_label(lab: Lab) -> None:
    lab.node("edge1")["metadata"]["labels"]["node-role.kubernetes.io/worker"] = "true"


def a_taint_on_the_server(lab: Lab) -> None:
    lab.node("server")["spec"]["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]


def an_external_address_too(lab: Lab) -> None:
    lab.node("edge1")["status"]["addresses"].append({"type": "ExternalIP", "address": "203.0.113.9"})


def visitor_by_node_name(lab: Lab) -> None:
    del lab.visitor["spec"]["nodeSelector"]


def visitor_with_a_sidecar(lab: Lab) -> None:
    lab.visitor["spec"]["containers"].append({"name": "log", "image": "course/web:1"})


def a_server_unit_that_is_off(lab: Lab) -> None:
    """A first try as a server, stopped and switched off again."""
    lab.unit("edge1", "k3s", UnitState(load="loaded", active="inactive", sub="dead", enabled="disabled"))


def an_old_complaint_in_the_journal(lab: Lab) -> None:
    lab.unit(
        "edge2",
        "k3s-agent",
        msgspec.structs.replace(RUNS, log=["Node password rejected, duplicate hostname", "k3s agent is up and running"]),
    )


def two_shop_pods(lab: Lab) -> None:
    lab.shop["spec"]["replicas"] = 1
    lab.service["spec"]["type"] = "NodePort"


RIGHT = [
    the_agents_own_token,
    both_by_bootstrap_token,
    a_token_that_has_ended,
    a_token_for_exactly_these_hours,
    a_token_that_was_just_deleted,
    more_bootstrap_tokens,
    the_server_by_name,
    a_role_by_label,
    a_taint_on_the_server,
    an_external_address_too,
    visitor_by_node_name,
    visitor_with_a_sidecar,
    a_server_unit_that_is_off,
    an_old_complaint_in_the_journal,
    two_shop_pods,
]


@each_right(RIGHT)
def test_right_answers_pass_however_they_were_reached(change: Callable[[Lab], None]) -> None:
    lab = Lab()
    change(lab)
    assert_all_pass(lab)


# Wrong answers --------------------------------------------------------------------------------------------------------------

Change = Callable[[Lab], Any]


def gone(name: str) -> Change:
    return lambda lab: lab.cluster.objects.remove(lab.node(name))


def lost(name: str, change: Change) -> Change:
    """The machine never became a node."""

    def both(lab: Lab) -> None:
        gone(name)(lab)
        change(lab)

    return both


def unit(machine: str, **changes: Any) -> Change:
    return lambda lab: lab.unit(machine, "k3s-agent", msgspec.structs.replace(RUNS, **changes))


def says(machine: str, *log: str) -> Change:
    return unit(machine, log=list(log))


def own_cluster(machine: str) -> Change:
    def change(lab: Lab) -> None:
        gone(machine)(lab)
        lab.unit(machine, "k3s-agent", UnitState())
        lab.unit(machine, "k3s", RUNS)

    return change


def joined(machine: str, **changes: Any) -> Change:
    return lambda lab: lab.joined[machine].update(changes)


def not_ready(name: str) -> Change:
    return lambda lab: lab.node(name)["status"].update(conditions=[{"type": "Ready", "status": "Unknown"}])


def control_plane(name: str) -> Change:
    return lambda lab: lab.node(name)["metadata"]["labels"].update({"node-role.kubernetes.io/control-plane": "true"})


def renamed(name: str) -> Change:
    return lambda lab: lab.node(name)["metadata"].update(name=f"{name}-3f9a")


def old_node_kept(lab: Lab) -> None:
    """The new machine was never let in; the old one's node is still there."""
    gone("edge2")(lab)
    lab.cluster.add(lab.old)
    says("edge2", "Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate hostname or contents …")(
        lab
    )


def ends(time: str) -> Change:
    return lambda lab: lab.tokens["bootstrap"].update(abc123=time)


def extra_node(lab: Lab) -> None:
    lab.cluster.add({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "edge0"}, "spec": {}, "status": {}})


def joined_twice(lab: Lab) -> None:
    node = lab.cluster.join("edge1")
    node["metadata"]["name"] = "edge1-again"


def same_address(lab: Lab) -> None:
    lab.node("server")["status"]["addresses"] = lab.node("edge1")["status"]["addresses"]


def no_visitor(lab: Lab) -> None:
    lab.place = None
    lab.answer = {"code": -1, "body": "", "error": "there is no running visitor"}


def visitor_on(place: str) -> Change:
    return lambda lab: setattr(lab, "place", place)


def visitor_moved(lab: Lab) -> None:
    lab.visitor["metadata"]["namespace"] = "default"


def visitor_spec(**changes: Any) -> Change:
    return lambda lab: lab.visitor["spec"].update(changes)


def answers(**changes: Any) -> Change:
    return lambda lab: lab.answer.update(changes)


def without_tools(lab: Lab) -> None:
    lab.visitor["spec"]["containers"][0]["image"] = "course/web:1"
    lab.answer = {"code": 127, "body": "", "error": 'exec: "curl": executable file not found in $PATH'}


def disabled_with_a_name_of_ones_own(lab: Lab) -> None:
    """The server's name is in /etc/hosts, and the agent has found it."""
    unit("edge1", enabled="disabled")(lab)
    joined("edge1", server="https://k3s.home:6443")(lab)


def no_list_of_tokens(lab: Lab) -> None:
    """`k3s token list` said nothing; what the token is like nobody knows."""
    lab.tokens["bootstrap"] = {}


def shop_on(place: str) -> Change:
    return lambda lab: setattr(lab, "shop_on", place)


UNAUTHORIZED = "Waiting to retrieve agent configuration; server is not ready: https://10.83.0.2:6443/v1-k3s/config: 401 Unauthorized"
MISMATCH = "token CA hash does not match the Cluster CA certificate hash: 00 != ab"
WRONG: list[tuple[Change, str, str]] = [
    (unit("edge1", active="inactive", sub="dead"), "agent", ""),
    (unit("edge1", enabled="disabled"), "agent", "not-enabled"),
    (disabled_with_a_name_of_ones_own, "agent", "not-enabled"),
    (unit("edge2", enabled="disabled"), "bootstrap", "not-enabled"),
    (gone("edge1"), "agent", ""),
    (not_ready("edge1"), "agent", ""),
    (control_plane("edge1"), "agent", ""),
    (own_cluster("edge1"), "agent", "own-cluster"),
    (lost("edge1", joined("edge1", ca=OTHER_CA)), "agent", "other-cluster"),
    (lost("edge1", says("edge1", MISMATCH)), "agent", "other-cluster"),
    (lost("edge1", joined("edge1", server="https://10.83.0.2:443")), "agent", "wrong-address"),
    (lost("edge1", joined("edge1", server="http://10.83.0.2:6443")), "agent", "wrong-address"),
    (lost("edge1", joined("edge1", server="https://localhost:6443")), "agent", "wrong-address"),
    (lost("edge1", joined("edge1", server="https://10.83.0.3:6443")), "agent", "wrong-address"),
    (lost("edge1", says("edge1", UNAUTHORIZED)), "agent", "wrong-password"),
    (lost("edge1", says("edge1", "Node password rejected, duplicate hostname")), "agent", "name-taken"),
    (renamed("edge1"), "agent", "other-name"),
    (joined("edge1", ca="", kind="password"), "secure", "short-token"),
    (joined("edge1", ca="", kind="bootstrap"), "secure", "short-token"),
    (joined("edge1", ca=OTHER_CA), "secure", "other-cluster"),
    (joined("edge1", ca="", kind="none"), "secure", "no-token"),
    (joined("edge1", read_short=True), "secure", "not-restarted"),
    (joined("edge2", read_short=True), "bootstrap", "not-restarted"),
    (old_node_kept, "bootstrap", "name-taken"),
    (own_cluster("edge2"), "bootstrap", "own-cluster"),
    (lost("edge2", joined("edge2", ca=OTHER_CA)), "bootstrap", "other-cluster"),
    (lost("edge2", joined("edge2", server="https://192.0.2.1:6443")), "bootstrap", "wrong-address"),
    (lost("edge2", says("edge2", UNAUTHORIZED)), "bootstrap", "wrong-password"),
    (renamed("edge2"), "bootstrap", "other-name"),
    (joined("edge2", kind="server", id=""), "bootstrap", "not-a-bootstrap-token"),
    (joined("edge2", kind="node", id=""), "bootstrap", "not-a-bootstrap-token"),
    (joined("edge2", kind="password", id="", ca=""), "bootstrap", "not-a-bootstrap-token"),
    (joined("edge2", ca=""), "bootstrap", "short-token"),
    (joined("edge2", kind="none", id=""), "bootstrap", ""),
    (ends("<never>"), "bootstrap", "no-end"),
    (ends("2026-11-29T10:00:00Z"), "bootstrap", "ends-late"),
    (no_list_of_tokens, "bootstrap", ""),
    (extra_node, "cluster", "left-over"),
    (joined_twice, "cluster", "left-over"),
    (same_address, "cluster", ""),
    (not_ready("server"), "cluster", ""),
    (no_visitor, "overlay", ""),
    (visitor_on("edge2"), "overlay", "visitor-elsewhere"),
    (visitor_on("server"), "overlay", "visitor-elsewhere"),
    (visitor_moved, "overlay", "other-namespace"),
    (visitor_spec(hostNetwork=True), "overlay", "host-network"),
    (without_tools, "overlay", "no-tools"),
    (visitor_spec(containers=[{"name": "tools", "image": "curlimages/curl"}]), "overlay", "no-tools"),
    (answers(code=6, body="", error="curl: (6) Could not resolve host: shop"), "overlay", ""),
    (answers(code=28, body="", error="curl: (28) Connection timed out"), "overlay", ""),
    (answers(body="404 page not found\n"), "overlay", ""),
    (shop_on("edge1"), "overlay", "shop-elsewhere"),
    (shop_on(""), "overlay", ""),
]


@each_wrong(WRONG)
def test_wrong_answers_fail_and_are_named(change: Change, task: str, diagnosis: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails(lab, task, diagnosis)


def test_a_good_token_is_no_cause_of_something_else() -> None:
    lab = Lab()
    not_ready("edge2")(lab)
    bootstrap = lab.verdicts()["bootstrap"]
    assert bootstrap.verdict.value != "pass"
    assert bootstrap.diagnosis != "ends-late"


@pytest.mark.parametrize(("machine", "task"), [("edge1", "agent"), ("edge2", "bootstrap")])
@pytest.mark.parametrize(("since", "verdict"), [(990.0, "waiting"), (0.5, "fail")])
def test_an_agent_that_has_just_started_is_waited_for(machine: str, task: str, since: float, verdict: str) -> None:
    lab = Lab()
    gone(machine)(lab)
    unit(machine, since=since)(lab)
    lab.cluster.machines[machine] = msgspec.structs.replace(lab.cluster.machines[machine], time=1000.0)
    assert lab.verdicts()[task].verdict.value == verdict


@pytest.mark.parametrize(
    ("change", "diagnosis"),
    [
        (says("edge1", UNAUTHORIZED), "wrong-password"),
        (says("edge1", "dial tcp: lookup k3s.home: no such host"), "wrong-address"),
        (renamed("edge1"), "other-name"),
    ],
)
def test_a_name_of_one_s_own_is_blamed_only_if_nobody_has_it(change: Change, diagnosis: str) -> None:
    lab = Lab()
    change(lab)
    lab.cluster.objects = [obj for obj in lab.cluster.objects if (obj["kind"], obj["metadata"]["name"]) != ("Node", "edge1")]
    joined("edge1", server="https://k3s.home:6443")(lab)
    assert lab.verdicts()["agent"].diagnosis == diagnosis


@pytest.mark.parametrize("machine", ["edge1", "edge2"])
@pytest.mark.parametrize(("since", "verdict"), [(990.0, "waiting"), (0.5, "fail")])
def test_a_request_that_meets_an_agent_which_has_just_started_is_made_again(machine: str, since: float, verdict: str) -> None:
    lab = Lab()
    answers(code=7, body="", error="curl: (7) Failed to connect to shop port 80 after 3 ms: Couldn't connect to server")(lab)
    unit(machine, since=since)(lab)
    for name in ("edge1", "edge2"):
        lab.cluster.machines[name] = msgspec.structs.replace(lab.cluster.machines[name], time=1000.0)
    assert lab.verdicts()["overlay"].verdict.value == verdict


def test_another_mistake_is_not_waited_for_because_the_agent_has_just_started() -> None:
    lab = Lab()
    unit("edge2", since=990.0)(lab)
    lab.cluster.machines["edge2"] = msgspec.structs.replace(lab.cluster.machines["edge2"], time=1000.0)
    joined("edge2", kind="server", id="")(lab)
    assert lab.verdicts()["bootstrap"].verdict.value == "fail"


STARTING = "Starting k3s-agent.service - Lightweight Kubernetes..."
REJECTED = "Node password rejected, duplicate hostname"
OUTCOMES = [
    ([REJECTED, STARTING, "level=info msg=joining"], "no-end"),
    ([STARTING, REJECTED, 'level=info msg="k3s agent is up and running"'], "no-end"),
    ([STARTING, REJECTED], "name-taken"),
    ([STARTING, MISMATCH, 'level=info msg="k3s agent is up and running"'], "no-end"),
    ([STARTING, UNAUTHORIZED, 'level=info msg="Starting k3s agent (stand-in)"'], "no-end"),
]


@pytest.mark.parametrize(("log", "diagnosis"), OUTCOMES)
def test_what_an_agent_complained_of_before_it_was_let_in_is_over(log: list[str], diagnosis: str) -> None:
    lab = Lab()
    ends("<never>")(lab)
    says("edge2", *log)(lab)
    assert lab.verdicts()["bootstrap"].diagnosis == diagnosis


def test_a_machine_that_does_not_answer_is_no_mistake_of_the_student() -> None:
    lab = Lab()
    lab.cluster.machines["edge1"] = NodeState(reachable=False, why="It is off.")
    assert lab.verdicts()["agent"].verdict.value == "error"


# What is read on the machines -----------------------------------------------------------------------------------------------

CHECKER = load_module(COURSE / "checkers" / "ch05.py")
BOOT = "abc123.0123456789abcdef"
FULL = f"K10{CA}::server:secret"


class Host:
    """A machine whose commands print what its files hold."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def run(self, command: str) -> Any:
        if command.startswith("systemctl cat"):
            return SimpleNamespace(stdout="".join(self._files[name] for name in (UNIT, DROP_IN) if name in self._files))
        return SimpleNamespace(stdout="".join(text for name, text in self._files.items() if name in command.split()))


UNIT = "/etc/systemd/system/k3s-agent.service"
ENV = f"{UNIT}.env"
DROP_IN = f"{UNIT}.d/override.conf"
CONFIG = "/etc/rancher/k3s/config.yaml"
FILES = "[Service]\nType=exec\nEnvironmentFile=-/etc/default/%N\nEnvironmentFile=-/etc/sysconfig/%N\nEnvironmentFile=-{ENV}\n".replace(
    "{ENV}", ENV
)
INSTALLED = f"{FILES}ExecStart=/usr/local/bin/k3s \\\n    agent \\\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ("", "none", "", "")),
        ({ENV: f"K3S_URL='https://a:6443'\nK3S_TOKEN='{FULL}'\n", UNIT: INSTALLED}, ("https://a:6443", "server", "", CA)),
        ({UNIT: FILES, ENV: f"K3S_URL=https://a:6443\nK3S_TOKEN=K10{CA}::{BOOT}\n"}, ("https://a:6443", "bootstrap", "abc123", CA)),
        ({UNIT: FILES, ENV: f"# K3S_TOKEN=x\nK3S_TOKEN={BOOT}\n"}, ("", "bootstrap", "abc123", "")),
        ({UNIT: FILES, ENV: "K3S_TOKEN=a password\n"}, ("", "password", "", "")),
        ({UNIT: FILES, ENV: "K3S_TOKEN=node:a password\n"}, ("", "node", "", "")),
        (
            {CONFIG: f"server: https://b:6443\ntoken: {FULL}\n", UNIT: FILES, ENV: "K3S_TOKEN=x\nK3S_URL=https://a:6443\n"},
            ("https://b:6443", "server", "", CA),
        ),
        ({CONFIG: "token-file: /root/token\n", "/root/token": f"K10{CA}::node:x\n"}, ("", "node", "", CA)),
        ({UNIT: FILES, ENV: "K3S_TOKEN_FILE=/root/token\n", "/root/token": f"{BOOT}\n"}, ("", "bootstrap", "abc123", "")),
        ({UNIT: FILES, ENV: "K3S_TOKEN=short\n", CONFIG: "token-file: /root/token\n", "/root/token": f"{FULL}\n"}, ("", "server", "", CA)),
        (
            {UNIT: INSTALLED + f"\t'--server' \\\n\t'https://c:6443' \\\n\t'--token=K10{CA}::{BOOT}' \\\n"},
            ("https://c:6443", "bootstrap", "abc123", CA),
        ),
        ({UNIT: f"ExecStart=/usr/local/bin/k3s agent -s https://c:6443 -t {FULL}"}, ("https://c:6443", "server", "", CA)),
        ({UNIT: f"ExecStart=/usr/local/bin/k3s agent -server https://c:6443 -token={FULL}"}, ("https://c:6443", "server", "", CA)),
        (
            {UNIT: INSTALLED, DROP_IN: f'# Don\'t ask\n[Service]\nEnvironment=K3S_URL=https://d:6443 "K3S_TOKEN={FULL}"\n'},
            ("https://d:6443", "server", "", CA),
        ),
        (
            {
                UNIT: INSTALLED,
                DROP_IN: f"[Service]\nExecStart=\nExecStart=/usr/local/bin/k3s agent --token {BOOT}\n",
                ENV: "K3S_URL=https://a:6443\n",
            },
            ("https://a:6443", "bootstrap", "abc123", ""),
        ),
        ({UNIT: INSTALLED, ENV: f"K3S_TOKEN={FULL}\n", "/etc/default/k3s-agent": "K3S_TOKEN=old\n"}, ("", "server", "", CA)),
        ({UNIT: INSTALLED, CONFIG: f"---\ntoken: old\n---\ntoken: {FULL}\n"}, ("", "server", "", CA)),
        ({UNIT: "ExecStart=/usr/local/bin/k3s agent 'broken", CONFIG: "a: [broken"}, ("", "none", "", "")),
        ({CONFIG: "just words\n"}, ("", "none", "", "")),
        ({CONFIG: "a: 2026-99-99\n"}, ("", "none", "", "")),
    ],
)
def test_what_an_agent_was_told_is_read_from_wherever_it_stands(files: dict[str, str], expected: tuple[str, str, str, str]) -> None:
    found = CHECKER.join_settings(Host(files))
    assert (found["server"], found["kind"], found["id"], found["ca"]) == expected
    assert "secret" not in str(found)


@pytest.mark.parametrize("log", ["", 'level=warning msg="…, but the token does not include a CA hash. …"\n'])
def test_what_k3s_said_of_its_token_when_it_was_started_is_read(log: str) -> None:
    assert CHECKER.join_settings(Host({"journalctl": log}))["read_short"] is bool(log)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="machines run Linux")
def test_configuration_files_are_read_one_by_one(tmp_path: Path) -> None:
    """One without an end of its last line runs not into the next, and one in braces stands beside others."""
    for name, text in (
        ("config.yaml", "server: https://a:6443"),
        ("config.yaml.d/10.yaml", "{with-node-id: true}"),
        ("config.yaml.d/20.yml", "token: x"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    command = CHECKER.READ_CONFIGS.replace("/etc/rancher/k3s", str(tmp_path))
    printed = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False).stdout
    assert CHECKER.yaml_of(printed) == {"server": "https://a:6443", "with-node-id": True, "token": "x"}


def test_the_server_s_tokens_are_read_without_what_is_secret() -> None:
    listed = (
        "TOKEN     TTL         EXPIRES                USAGES                   DESCRIPTION   EXTRA GROUPS\n"
        f"abc123    59m         {IN_AN_HOUR}   authentication,signing   edge2         system:bootstrappers:k3s:default-node-token\n"
        "xyz789    <forever>   <never>                authentication,signing   <none>        system:bootstrappers:k3s:default-node-token\n"
    )
    host = Host({"/usr/local/bin/k3s": listed, "/var/lib/rancher/k3s/server/token": f"{FULL}\n"})
    assert CHECKER.server_tokens(host) == {"ca": CA, "bootstrap": {"abc123": IN_AN_HOUR, "xyz789": "<never>"}}
