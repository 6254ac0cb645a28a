"""Chapter 01: right answers pass however they were reached, wrong ones fail and are named. And what is read of kubeconfigs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from courselab.grade.checker import load_module
from courselab.grade.evidence import FileState, K3sState, UnitState
from tests.unit.checkers.answers import assert_all_pass, assert_fails, each_right, each_wrong
from tests.unit.checkers.fake_cluster import COURSE, FakeCluster, Obj

ALL = {"install", "config", "name", "student", "laptop", "addons"}
CONFIG, OWN = "/etc/rancher/k3s/config.yaml", "/etc/rancher/k3s/k3s.yaml"
STUDENT, LAPTOP = "/home/student/.kube/config", "/home/student/work/laptop.yaml"
VERSION = "v1.36.5+k3s1"
RUNS = UnitState(load="loaded", active="active", sub="running", enabled="enabled", since=100.0)
WORKS = {"code": 0, "said": "node/server\n", "error": ""}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "main", "image": "x"}]}}},
}


def file(mode: str = "600", owner: str = "root", **changes: Any) -> FileState:
    return FileState(exists=True, kind="file", text="…", mode=mode, owner=owner, modified=50.0, **changes)


CHECKER = load_module(COURSE / "checkers" / "ch01.py")


class Lab:
    """A lab on paper; tests change it, then have it judged."""

    def __init__(self, *, solved: bool = True) -> None:
        self.cluster = FakeCluster("01")
        self.params = self.cluster.params
        self.unit = RUNS if solved else UnitState()
        self.agent = UnitState()
        self.config: Obj = {}
        self.other_configs: dict[str, FileState] = {}
        self.problem = ""
        self.facts: Obj = {
            "wanted": VERSION,
            "version": "",
            "flags": {},
            "names": [],
            "laptop": {"server": "", "authority": "none", "problem": ""},
        }
        self.laptop: Obj = {"code": 1, "said": "", "error": "no configuration"}
        self.student: Obj = {"file": self.laptop, "shell": self.laptop}
        self.cluster.reachable = solved
        self.missing: set[str] = set()
        if solved:
            self._solve()

    def _solve(self) -> None:
        self.node = self.cluster.join("server", course=self.params.word)
        self.config = {"node-label": [f"course={self.params.word}"], "tls-san": [self.params.name]}
        self.files.update({CONFIG: file(), OWN: file(), STUDENT: file(owner="student"), LAPTOP: file(owner="student")})
        self.facts.update(version=f"k3s version {VERSION} (1a2b3c4d)", names=["kubernetes", "localhost", "10.83.0.2", self.params.name])
        self.facts["laptop"] = {"server": "https://10.83.0.2:6443", "authority": "embedded", "problem": ""}
        self.student, self.laptop = {"file": WORKS, "shell": WORKS}, WORKS

    @property
    def files(self) -> dict[str, FileState]:
        return self.cluster.files

    def verdicts(self) -> Any:
        for name in {"coredns", "local-path-provisioner", "metrics-server", "traefik"} - self.missing if self.cluster.reachable else ():
            self.cluster.run(
                {
                    **DEPLOYMENT,
                    "metadata": {"name": name, "namespace": "kube-system"},
                    "spec": msgspec.json.decode(msgspec.json.encode(DEPLOYMENT["spec"])),
                }
            )
        k3s = K3sState(
            installed=bool(self.facts["version"]),
            config=self.config,
            config_files={CONFIG: self.files[CONFIG], **self.other_configs},
            problem=self.problem,
        )
        self.cluster.machines["server"] = msgspec.structs.replace(
            self.cluster.machines["server"], units={"k3s": self.unit, "k3s-agent": self.agent}, k3s=k3s, facts=self.facts, time=1000.0
        )
        self.cluster.probe("01.student", self.student)
        self.cluster.probe("01.laptop", self.laptop)
        return self.cluster.verdicts()


def test_the_solved_lab_passes_everything() -> None:
    assert {name for name, one in Lab().verdicts().items() if one.passed} == ALL


def test_the_untouched_lab_passes_nothing() -> None:
    verdicts = Lab(solved=False).verdicts()
    assert not [name for name, one in verdicts.items() if one.passed or one.credit]
    assert {name: one.verdict.value for name, one in verdicts.items()} == dict.fromkeys(ALL, "blocked") | {"install": "fail"}
    assert verdicts["install"].message == "K3s is not installed"


# Right answers reached another way ------------------------------------------------------------------------------------------


def a_stand_in_s_version(lab: Lab) -> None:
    lab.facts.update(wanted="v1.36.3", version="stand-in 1.36.3")


def a_given_binary(lab: Lab) -> None:
    """A release of unknown version: there is nothing to compare with."""
    lab.facts["wanted"] = "v0-given"


def in_the_folder(lab: Lab) -> None:
    """config.yaml.d is read, too; there need be no config.yaml."""
    lab.files[CONFIG] = FileState(exists=False)
    lab.other_configs = {"/etc/rancher/k3s/config.yaml.d/label.yaml": file()}


def a_single_value(lab: Lab) -> None:
    lab.config.update({"node-label": f"course={lab.params.word}", "tls-san": lab.params.name})


def with_commas(lab: Lab) -> None:
    lab.config["node-label"] = f"site=here,course={lab.params.word}"


def more_settings(lab: Lab) -> None:
    lab.config.update({"write-kubeconfig-group": "adm", "node-label": ["a=b", f"course={lab.params.word}"]})
    lab.facts["names"].append("other.example")


def changed_and_unimportant(lab: Lab) -> None:
    """The file was touched after the start; what it says is in force."""
    lab.files[CONFIG] = msgspec.structs.replace(file(), modified=500.0)


def name_by_a_flag(lab: Lab) -> None:
    del lab.config["tls-san"]
    lab.facts["flags"] = {"tls-san": lab.params.name}


def open_to_a_group(lab: Lab) -> None:
    lab.files[OWN] = file("640")


def a_number_that_yaml_made_of_0644(lab: Lab) -> None:
    """Without quotes it is 420, which K3s takes for octal: nothing for others."""
    lab.config["write-kubeconfig-mode"] = 420
    lab.files[OWN] = file("420")


def what_the_file_says_comes_before_the_variable(lab: Lab) -> None:
    lab.facts["flags"] = {"K3S_KUBECONFIG_MODE": "644"}
    lab.config["write-kubeconfig-mode"] = "600"


def no_mode_at_all(lab: Lab) -> None:
    lab.config["write-kubeconfig-mode"] = "rw-------"


def read_only_for_student(lab: Lab) -> None:
    lab.files[STUDENT] = file("400", "student")


def laptop_by_name(lab: Lab) -> None:
    lab.facts["laptop"]["server"] = f"https://{lab.params.name}:6443"


def laptop_readable(lab: Lab) -> None:
    """The task asks for secrecy of ~/.kube/config alone."""
    lab.files[LAPTOP] = file("644", "student")


def more_replicas(lab: Lab) -> None:
    lab.missing = {"coredns"}
    lab.cluster.run(
        {
            **DEPLOYMENT,
            "metadata": {"name": "coredns", "namespace": "kube-system"},
            "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}},
        }
    )


RIGHT = [
    a_stand_in_s_version,
    a_given_binary,
    in_the_folder,
    a_single_value,
    with_commas,
    more_settings,
    changed_and_unimportant,
    name_by_a_flag,
    open_to_a_group,
    a_number_that_yaml_made_of_0644,
    what_the_file_says_comes_before_the_variable,
    no_mode_at_all,
    read_only_for_student,
    laptop_by_name,
    laptop_readable,
    more_replicas,
]


@each_right(RIGHT)
def test_right_answers_pass_however_they_were_reached(change: Callable[[Lab], None]) -> None:
    lab = Lab()
    change(lab)
    assert_all_pass(lab)


# Wrong answers --------------------------------------------------------------------------------------------------------------

Change = Callable[[Lab], Any]


def unit(**changes: Any) -> Change:
    return lambda lab: setattr(lab, "unit", msgspec.structs.replace(lab.unit, **changes))


def crashing(lab: Lab) -> None:
    lab.unit = msgspec.structs.replace(
        RUNS, active="activating", sub="auto-restart", log=['level=fatal msg="flag provided but not defined: -tls-sans"']
    )
    lab.cluster.reachable = False


def agent_instead(lab: Lab) -> None:
    lab.unit, lab.agent = UnitState(), msgspec.structs.replace(RUNS, active="activating")
    lab.cluster.reachable = False


def other_version_after_an_agent(lab: Lab) -> None:
    """The agent of a first try is still installed, and has nothing to do with it."""
    lab.agent = msgspec.structs.replace(RUNS, active="inactive", enabled="disabled")
    lab.facts["version"] = "k3s version v1.37.1+k3s1"


def not_up_yet(lab: Lab) -> None:
    """K3s says errors while it starts, and has not ended."""
    lab.unit = msgspec.structs.replace(RUNS, active="activating", sub="start", log=['level=error msg="Sending HTTP 503 response"'])
    lab.cluster.reachable = False


def laptop_with_a_key_elsewhere(lab: Lab) -> None:
    lab.facts["laptop"]["files"] = ["client-key"]


def broken_yaml(lab: Lab) -> None:
    lab.problem = f"{CONFIG}: mapping values are not allowed here"
    lab.unit = msgspec.structs.replace(RUNS, active="failed")
    lab.cluster.reachable = False


def version(text: str) -> Change:
    return lambda lab: lab.facts.update(version=text)


def node(**changes: Any) -> Change:
    return lambda lab: lab.node.update(changes)


def renamed(lab: Lab) -> None:
    lab.node["metadata"]["name"] = "pi"


def config(**changes: Any) -> Change:
    def change(lab: Lab) -> None:
        for key, value in changes.items():
            name = key.replace("_", "-")
            lab.config.pop(name, None)
            if value is not None:
                lab.config[name] = [lab.params.fill(one) for one in value]

    return change


def unlabelled(lab: Lab) -> None:
    lab.node["metadata"]["labels"].pop("course")


def label_in_a_flag(lab: Lab) -> None:
    lab.config.pop("node-label")
    lab.facts["flags"] = {"node-label": f"course={lab.params.word}"}


def label_not_read(lab: Lab) -> None:
    unlabelled(lab)
    lab.files[CONFIG] = msgspec.structs.replace(file(), modified=500.0)


def label_overruled_by_a_flag(lab: Lab) -> None:
    """A flag takes the place of the whole list in the file (docs.k3s.io/installation/configuration)."""
    unlabelled(lab)
    lab.facts["flags"] = {"node-label": "site=here"}


def name_overruled_by_a_flag(lab: Lab) -> None:
    unnamed(lab)
    lab.facts["flags"] = {"tls-san": "192.0.2.10"}


def no_file(lab: Lab) -> None:
    unlabelled(lab)
    lab.config = {}
    lab.files[CONFIG] = FileState(exists=False)


def key_misspelt(lab: Lab) -> None:
    unlabelled(lab)
    lab.config = {"node-labels": [f"course={lab.params.word}"]}


def label_with_a_colon(lab: Lab) -> None:
    unlabelled(lab)
    lab.config["node-label"] = [f"course:{lab.params.word}"]


def unnamed(lab: Lab) -> None:
    lab.facts["names"] = ["kubernetes", "10.83.0.2"]


def name_not_read(lab: Lab) -> None:
    unnamed(lab)
    lab.files[CONFIG] = msgspec.structs.replace(file(), modified=500.0)


def name_other(lab: Lab) -> None:
    lab.config["tls-san"] = [f"{lab.params.word}.example"]
    lab.facts["names"] = [f"{lab.params.word}.example"]


def name_key(lab: Lab) -> None:
    unnamed(lab)
    lab.config = {"node-label": lab.config["node-label"], "tls-sans": [lab.params.name]}


def files(path: str, state: FileState) -> Change:
    return lambda lab: lab.files.update({path: state})


def student(error: str, *, file: bool = False) -> Change:
    """What kubectl says to student; `file`: with the file it works, in a new shell it does not."""
    refused = {"code": 1, "said": "", "error": error}
    return lambda lab: setattr(lab, "student", {"file": WORKS if file else refused, "shell": refused})


def opened_again_later(lab: Lab) -> None:
    """chmod took away what the setting still says: the next start of K3s gives it back."""
    lab.config["write-kubeconfig-mode"] = "0644"


def opened_by_a_flag(lab: Lab) -> None:
    lab.facts["flags"] = {"write-kubeconfig-mode": "644"}


def opened_by_a_variable(lab: Lab) -> None:
    lab.facts["flags"] = {"K3S_KUBECONFIG_MODE": "644"}


def laptop(**changes: str) -> Change:
    return lambda lab: lab.facts["laptop"].update({key: lab.params.fill(value) for key, value in changes.items()})


def laptop_refused(lab: Lab) -> None:
    lab.laptop = {"code": 1, "said": "", "error": "error: You must be logged in to the server (Unauthorized)"}


def laptop_by_a_name_that_is_not_there(lab: Lab) -> None:
    laptop(server="https://{name}:6443")(lab)
    unnamed(lab)
    lab.laptop = {"code": 1, "said": "", "error": "tls: failed to verify certificate: x509: certificate is valid for kubernetes, not it"}


def without(name: str) -> Change:
    return lambda lab: lab.missing.add(name)


def traefik_disabled(lab: Lab) -> None:
    lab.missing.add("traefik")
    lab.config["disable"] = ["traefik", "servicelb"]


def traefik_disabled_by_flag(lab: Lab) -> None:
    lab.missing.add("traefik")
    lab.facts["flags"] = {"disable": "servicelb,traefik"}


def scaled(lab: Lab) -> None:
    lab.missing.add("coredns")
    template = {"spec": {"containers": [{"name": "c", "image": "x"}]}}
    lab.cluster.run(
        {
            **DEPLOYMENT,
            "metadata": {"name": "coredns", "namespace": "kube-system"},
            "spec": {"replicas": 0, "selector": {}, "template": template},
        }
    )


NO_FILE = FileState(exists=False)
WRONG: list[tuple[Change, str, str]] = [
    (unit(enabled="disabled"), "install", "not-enabled"),
    (unit(enabled="enabled-runtime"), "install", "not-enabled"),
    (unit(active="inactive", sub="dead"), "install", "stopped"),
    (crashing, "install", "ends-at-once"),
    (broken_yaml, "install", "config-invalid"),
    (agent_instead, "install", "agent"),
    (other_version_after_an_agent, "install", "other-version"),
    (version("k3s version v1.37.1+k3s1 (99aabbcc)"), "install", "other-version"),
    (version("k3s version v1.36.4+k3s1"), "install", "other-version"),
    (node(status={"conditions": [{"type": "Ready", "status": "False"}]}), "install", ""),
    (renamed, "install", "other-name"),
    (config(node_label=None), "config", "kubectl-only"),
    (config(node_label=["course=other"]), "config", "key-differs"),
    (config(node_label=["Course={word}"]), "config", "key-differs"),
    (label_with_a_colon, "config", "key-differs"),
    (unlabelled, "config", ""),
    (label_in_a_flag, "config", "flag-instead"),
    (label_not_read, "config", "not-read-yet"),
    (label_overruled_by_a_flag, "config", "flag-wins"),
    (no_file, "config", "other-file"),
    (key_misspelt, "config", "key-differs"),
    (unnamed, "name", ""),
    (name_not_read, "name", "not-read-yet"),
    (name_overruled_by_a_flag, "name", "flag-wins"),
    (name_other, "name", "name-differs"),
    (name_key, "name", "key-differs"),
    (files(OWN, file("644")), "student", "world-readable"),
    (files(OWN, file("604")), "student", "world-readable"),
    (opened_again_later, "student", ""),
    (opened_by_a_flag, "student", ""),
    (opened_by_a_variable, "student", ""),
    (files(STUDENT, NO_FILE), "student", ""),
    (files(STUDENT, file("600", "root")), "student", "not-yours"),
    (files(STUDENT, file("644", "student")), "student", "open-to-others"),
    (files(STUDENT, file("640", "student")), "student", "open-to-others"),
    (files(STUDENT, file("600", "root", target=OWN)), "student", "link"),
    (student("tls: failed to verify certificate: x509: certificate signed by unknown authority"), "student", "from-an-earlier-cluster"),
    (student("error: You must be logged in to the server (Unauthorized)"), "student", "from-an-earlier-cluster"),
    (student("The connection to the server localhost:8080 was refused"), "student", "nowhere"),
    (student('error: error loading config file "/etc/rancher/k3s/k3s.yaml": permission denied', file=True), "student", "kubeconfig-unset"),
    (student("bash: line 1: kubectl: command not found", file=True), "student", ""),
    (student('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.', file=True), "student", "by-sudo"),
    (files(LAPTOP, NO_FILE), "laptop", ""),
    (laptop(server="https://127.0.0.1:6443"), "laptop", "loopback"),
    (laptop(server="https://localhost:6443"), "laptop", "loopback"),
    (laptop(server="https://0.0.0.0:6443"), "laptop", "loopback"),
    (laptop(server="https://192.0.2.7:6443"), "laptop", ""),
    (laptop(server="https://10.83.0.2"), "laptop", "port"),
    (laptop(server="http://10.83.0.2:6443"), "laptop", "port"),
    (laptop(server="10.83.0.2:6443"), "laptop", ""),
    (laptop(server="https://10.83.0.2:6443:6443"), "laptop", ""),
    (laptop_with_a_key_elsewhere, "laptop", ""),
    (laptop(server="", problem="KeyError: 'current-context'"), "laptop", ""),
    (laptop(authority="insecure"), "laptop", "insecure"),
    (laptop(authority="file"), "laptop", "authority-in-a-file"),
    (laptop(authority="none"), "laptop", ""),
    (laptop_refused, "laptop", "from-an-earlier-cluster"),
    (laptop_by_a_name_that_is_not_there, "laptop", "not-in-the-certificate"),
    (without("metrics-server"), "addons", "deleted"),
    (traefik_disabled, "addons", "disabled"),
    (traefik_disabled_by_flag, "addons", "disabled"),
    (scaled, "addons", "scaled-to-nothing"),
]


@each_wrong(WRONG)
def test_wrong_answers_fail_and_are_named(change: Change, task: str, diagnosis: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails(lab, task, diagnosis)


# On its way -----------------------------------------------------------------------------------------------------------------


def no_node(lab: Lab) -> None:
    lab.cluster.objects.remove(lab.node)


@pytest.mark.parametrize(
    ("change", "task"), [(no_node, "install"), (unlabelled, "config"), (unnamed, "name"), (without("traefik"), "addons")]
)
@pytest.mark.parametrize(("since", "verdict"), [(990.0, "waiting"), (100.0, "fail")])
def test_what_k3s_does_after_its_start_is_waited_for(change: Change, task: str, since: float, verdict: str) -> None:
    lab = Lab()
    lab.unit = msgspec.structs.replace(RUNS, since=since)
    change(lab)
    assert lab.verdicts()[task].verdict.value == verdict


@pytest.mark.parametrize(
    ("change", "task"),
    [(label_not_read, "config"), (name_not_read, "name"), (traefik_disabled, "addons"), (traefik_disabled_by_flag, "addons")],
)
def test_what_will_not_come_by_itself_is_not_waited_for(change: Change, task: str) -> None:
    lab = Lab()
    lab.unit = msgspec.structs.replace(RUNS, since=980.0)
    change(lab)
    lab.files[CONFIG] = msgspec.structs.replace(lab.files[CONFIG], modified=990.0)
    assert lab.verdicts()[task].verdict.value == "fail"


def test_k3s_that_is_still_starting_has_not_ended() -> None:
    lab = Lab()
    not_up_yet(lab)
    install = lab.verdicts()["install"]
    assert (install.verdict.value, install.diagnosis) == ("waiting", "")


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("server", {}),
        ("server '--tls-san=a' \\\n\t'--tls-san' \\\n\t'b'", {"tls-san": "a,b"}),
        ("server '-node-label=a=b,c=d' '--token' 'secret'", {"node-label": "a=b,c=d"}),
        ("server '--token' 'secret' --agent-token=other --disable", {"disable": ""}),
        ("server 'broken", {}),
    ],
)
def test_only_flags_of_this_chapter_are_read_of_the_unit(line: str, flags: dict[str, str]) -> None:
    assert CHECKER.flags_of(f"[Service]\nExecStart=/usr/local/bin/k3s \\\n    {line}\n") == flags


def test_the_mode_that_the_installer_was_told_is_read_and_no_other_variable() -> None:
    env = "K3S_TOKEN='secret'\nK3S_KUBECONFIG_MODE='0644'\n"
    unit = "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server '--tls-san=a'\n"
    host = SimpleNamespace(run=lambda _: SimpleNamespace(stdout=env + unit))
    assert CHECKER.unit_flags(host) == {"tls-san": "a", "K3S_KUBECONFIG_MODE": "0644"}


def test_the_task_that_the_name_belongs_to_is_named() -> None:
    lab = Lab()
    laptop_by_a_name_that_is_not_there(lab)
    assert lab.verdicts()["laptop"].message.endswith("See 01.name.")


def test_what_kubeconfig_would_have_to_say_is_said_where_it_says_something_else() -> None:
    lab = Lab()
    student('error: error loading config file "/etc/rancher/k3s/k3s.yaml": permission denied', file=True)(lab)
    assert "without KUBECONFIG" not in lab.verdicts()["student"].message


# What is read of a kubeconfig ------------------------------------------------------------------------------------------------

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: default
contexts: [{name: default, context: {cluster: default, user: default}}]
clusters: [{name: default, cluster: CLUSTER}]
users: [{name: default, user: {client-key-data: c2VjcmV0}}]
"""


@pytest.mark.parametrize(
    ("text", "server", "authority"),
    [
        (KUBECONFIG.replace("CLUSTER", "{server: https://a:6443, certificate-authority-data: eA==}"), "https://a:6443", "embedded"),
        (KUBECONFIG.replace("CLUSTER", "{server: https://a:6443, insecure-skip-tls-verify: true}"), "https://a:6443", "insecure"),
        (KUBECONFIG.replace("CLUSTER", "{server: https://a:6443, certificate-authority: /etc/ca.crt}"), "https://a:6443", "file"),
        (KUBECONFIG.replace("CLUSTER", "{server: https://a:6443}"), "https://a:6443", "none"),
        (KUBECONFIG.replace("CLUSTER", "{}"), "", "none"),
        (KUBECONFIG.replace("current-context: default", "current-context: other").replace("CLUSTER", "{}"), "", "none"),
        ("", "", "none"),
        ("just words", "", "none"),
        ("a: [broken", "", "none"),
        ("contexts: 7\ncurrent-context: x\n", "", "none"),
        (KUBECONFIG.replace("CLUSTER", "{server: 2026-99-99}"), "", "none"),
        (KUBECONFIG.replace("CLUSTER", "null"), "", "none"),
        (KUBECONFIG.replace("default", "[]").replace("CLUSTER", "{}"), "", "none"),
    ],
)
def test_only_what_is_public_of_a_kubeconfig_is_read(text: str, server: str, authority: str) -> None:
    found = CHECKER.kubeconfig_parts(text)
    assert (found["server"], found["authority"]) == (server, authority)
    assert "c2VjcmV0" not in str(found)


@pytest.mark.parametrize(
    ("user", "files"),
    [
        ("{client-certificate: a.crt, client-key: a.key}", ["client-certificate", "client-key"]),
        ("{client-certificate: a.crt, client-certificate-data: eA==, client-key-data: eA==}", []),
        ("{tokenFile: /run/token}", ["tokenFile"]),
        ("{token: eA==, tokenFile: /run/token}", []),
        ("null", []),
    ],
)
def test_what_a_kubeconfig_s_user_keeps_in_files_is_read(user: str, files: list[str]) -> None:
    text = KUBECONFIG.replace("CLUSTER", "{server: x}").replace("{client-key-data: c2VjcmV0}", user)
    assert CHECKER.kubeconfig_parts(text)["files"] == files


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="machines run Linux")
def test_a_new_shell_cannot_ask_as_root() -> None:
    asked: list[list[str]] = []

    def run(_machine: str, argv: list[str], **_: Any) -> Any:
        asked.append(argv)
        return SimpleNamespace(code=0, text="node/server", error_text="")

    CHECKER.as_student(SimpleNamespace(run=run))
    done = subprocess.run([*asked[1][2:-1], "grep NoNewPrivs /proc/self/status"], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["NoNewPrivs:", "1"]


def test_a_greeting_longer_than_what_is_kept_does_not_hide_the_answer() -> None:
    answer = SimpleNamespace(code=0, text=f"{'Welcome! ' * 100}\nnode/server\n", error_text="")
    assert "node/server" in CHECKER.as_student(SimpleNamespace(run=lambda *_, **__: answer))["shell"]["said"]
