"""Collecting from an API and machines that are there, slow, hostile, or not there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from courselab.course.model import Collect, Lab
from courselab.errors import Unreachable
from courselab.grade import check, fact
from courselab.grade.collect import collect
from courselab.grade.evidence import encode
from courselab.grade.node_facts import MARK, mark_of, merge_configs
from courselab.grade.redact import Redactor
from courselab.grade.redacted import is_redacted
from courselab.grade.target import Target
from courselab.grade.testinfra_host import host_of
from courselab.process import Completed
from tests.unit.grade.api_stub import Stub, hang_up, refuse, serving
from tests.unit.grade.builders import checker, lab, obj, pod, terminated, waiting

ANSWER = {"hostname": "server", "time": 1.8e9, "units": {}, "files": {}, "configs": {}, "ports": [], "sysctls": {}, "problems": []}


@dataclass
class Machine:
    """As much of a machine as collecting needs."""

    answer: Any = field(default_factory=lambda: dict(ANSWER))
    address: str = "192.0.2.11"
    name: str = "k3s-02-server"
    ran: list[list[str]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        self.ran.append(list(argv))
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Completed):
            return self.answer
        if argv[:3] == ["/bin/sh", "-c", MARK]:
            return Completed(tuple(argv), 0, repr(self.answer).encode(), b"")
        if "/bin/sh" in argv:
            return Completed(tuple(argv), 0, b"from testinfra\n", b"")
        answer = self.answer
        if isinstance(answer, dict):
            answer = {"nonce": json.loads(input or b"{}").get("nonce"), **answer}
        return Completed(tuple(argv), 0, json.dumps(answer).encode(), b"")


class RealMachine(Machine):
    """Runs the script on this computer."""

    def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
        done = subprocess.run([sys.executable, *argv[1:]], input=input, capture_output=True, timeout=timeout_s, check=False)
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as found:
        yield found


@check("02.deploy", reads=["Deployment"])
def nothing() -> None: ...


def target(
    stub: Stub | None, machine: Any = None, *functions: Any, of: Lab | None = None, params: Mapping[str, str] | None = None
) -> Target:
    return Target(
        of or lab(),
        checker(*(functions or (nothing,))),
        params or {},
        {"server": machine or Machine()},
        stub.kubeconfig if stub else None,
        key="lab-key",
        provider="local",
        student="ada",
    )


def test_objects_are_whole_and_without_managed_fields(stub: Stub) -> None:
    one = pod()
    one["metadata"]["managedFields"] = [{"time": "2026-11-24T10:00:00Z"}]
    stub.add(one)
    found = collect(target(stub))
    kept = found.cluster.kinds["Pod"].items[0]
    assert (kept["kind"], kept["apiVersion"]) == ("Pod", "v1")
    assert "managedFields" not in kept["metadata"]
    assert found.cluster.reachable
    assert found.cluster.version == "v1.36.3+k3s1"
    assert (found.lab, found.student, found.provider) == ("02", "ada", "local")
    assert found.cluster.kinds["Addon"].served is False
    assert found.missing == []


def test_what_changed_lately_is_known(stub: Stub) -> None:
    one = obj("ConfigMap", "app", data={})
    now = "2026-11-24T10:00:00Z"
    one["metadata"]["managedFields"] = [{"time": now}, {"time": "2026-11-24T10:00:30Z", "subresource": "status"}]
    stub.add(one)
    machine = Machine({**ANSWER, "time": 1795514403.0})  # objects are dated by the machine's clock, whatever this computer's says
    found = collect(target(stub, machine), clock=lambda: 5.0)
    assert found.cluster.kinds["ConfigMap"].changed == {one["metadata"]["uid"]: 1795514400.0}
    assert collect(target(stub)).cluster.kinds["ConfigMap"].changed == {}


def test_kinds_that_checks_read_are_collected_also_custom_ones(stub: Stub) -> None:
    @check("02.deploy", reads=["Role", "stable.example.com/CronTab", "Nothing"])
    def reads() -> None: ...

    names = {"kind": "CronTab", "plural": "crontabs"}
    spec = {"group": "stable.example.com", "names": names, "scope": "Namespaced", "versions": [{"name": "v1", "served": True}]}
    stub.add(obj("CustomResourceDefinition", "crontabs.stable.example.com", spec=spec))
    stub.lists["/apis/stable.example.com/v1/crontabs"] = [{"metadata": {"name": "mine", "namespace": "shop"}}]
    found = collect(target(stub, None, reads))
    assert found.cluster.kinds["CronTab"].items[0]["metadata"]["name"] == "mine"
    assert found.cluster.kinds["Role"].items == []
    assert found.cluster.kinds["Nothing"].served is False


def test_logs_are_fetched_only_of_containers_that_are_not_well(stub: Stub) -> None:
    stub.add(pod("well"), pod("crashed", ready=False, state=waiting("CrashLoopBackOff"), lastState=terminated(1), restartCount=2))
    stub.logs["crashed"] = "one\ntwo\npassword=hunter22\n"
    found = collect(target(stub))
    assert [(log.pod, log.lines, log.previous) for log in found.cluster.logs] == [("crashed", ["one", "two", "password=‹secret›"], True)]
    assert not any("well/log" in path for path in stub.asked)


def test_secrets_learned_from_the_cluster_are_hidden_on_machines_too(stub: Stub) -> None:
    stub.add(obj("Secret", "db", data={"password": "aHVudGVyMjJzZWNyZXQ="}))
    machine = Machine({**ANSWER, "files": {"/notes": {"exists": True, "text": "I chose hunter22secret"}}})
    found = collect(target(stub, machine, params={"db_password": "other-secret", "namespace": "shop"}))
    assert found.nodes["server"].files["/notes"].text == "I chose ‹secret›"
    assert is_redacted(found.params["db_password"])
    assert found.params["namespace"] == "shop"
    document = encode(found).decode()
    assert "hunter22secret" not in document
    assert "other-secret" not in document


def test_a_list_that_is_refused_is_missing_and_the_rest_is_there(stub: Stub) -> None:
    stub.odd["/api/v1/secrets"] = refuse(500, "InternalError")
    found = collect(target(stub))
    assert [(one.what, "InternalError" in one.why) for one in found.missing] == [("cluster/Secret", True)]
    assert "Pod" in found.cluster.kinds
    assert found.cluster.reachable


def test_a_cluster_with_too_many_objects_is_trimmed_and_says_so(stub: Stub) -> None:
    stub.add(*(pod(f"web-{place}") for place in range(1200)))
    found = collect(target(stub))
    assert len(found.cluster.kinds["Pod"].items) == 1000
    assert found.trimmed == ["Pod: 200 more objects"]


def test_an_api_that_is_down_while_its_machine_answers_is_a_finding() -> None:
    unit = {"load": "loaded", "active": "failed", "sub": "failed", "log": ["fatal"]}
    found = collect(target(Stub(port=1), Machine({**ANSWER, "units": {"k3s": unit}})))
    assert (found.cluster.reachable, found.cluster.asked) == (False, True)
    assert "does not answer" in found.cluster.why
    assert found.nodes["server"].units["k3s"].log == ["fatal"]


def test_without_a_kubeconfig_k3s_is_not_there_yet() -> None:
    found = collect(target(None))
    assert (found.cluster.reachable, found.cluster.asked) == (False, True)
    assert "not installed" in found.cluster.why


def test_a_dead_machine_makes_nothing_of_the_cluster_known() -> None:
    found = collect(target(Stub(port=1), Machine(Unreachable("Machine server does not answer", why="It is stopped."))))
    assert found.cluster.asked is False
    assert found.nodes["server"].why == "Machine server does not answer. It is stopped."
    assert [one.what for one in found.missing] == ["nodes/server"]


def test_a_dead_machine_costs_its_own_deadline_only(stub: Stub) -> None:
    class Slow(Machine):
        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            time.sleep(0.3)
            raise Unreachable("Machine agent does not answer")

    one = target(stub)
    found = collect(Target(one.lab, one.checker, {}, {"server": Machine(), "agent": Slow()}, stub.kubeconfig, key="k"))
    assert found.cluster.reachable
    assert found.nodes["server"].reachable
    assert not found.nodes["agent"].reachable


def test_an_api_that_hangs_up_in_the_middle_is_down(stub: Stub) -> None:
    stub.odd["/api/v1/pods"] = hang_up
    found = collect(target(stub))
    assert found.cluster.reachable is False
    assert "stopped answering" in found.cluster.why


@pytest.mark.parametrize(
    "answer",
    [
        Completed((), 127, b"", b"/usr/bin/python3: not found"),
        Completed((), 0, b"Welcome to the machine\n{}", b""),
        Completed((), 0, b"[]", b""),
    ],
)
def test_a_machine_that_answers_nonsense(stub: Stub, answer: Completed) -> None:
    found = collect(target(stub, Machine(answer))).nodes["server"]
    assert found.reachable is False
    assert found.why


def test_a_hostile_machine_cannot_break_collecting(stub: Stub) -> None:
    hostile = {
        "hostname": ["x"], "time": "now", "units": {"k3s": {"active": 5}}, "files": {"/a": {"exists": "yes"}, "/b": 3},
        "configs": {"/c": {"exists": True, "text": "- 1\n"}}, "ports": [{"port": "x"}, 5], "sysctls": {"a": {}}, "problems": [1],
        "k3s_version": 7,
    }  # fmt: skip
    found = collect(target(stub, Machine(hostile))).nodes["server"]
    assert found.reachable
    assert found.k3s.config == {}


def test_facts_get_a_testinfra_host_and_one_that_breaks_harms_no_other(stub: Stub) -> None:
    @fact("said", on="server")
    def said(host: Any, params: Any) -> Any:
        return [host.run("echo x").stdout.strip(), params["who"]]

    @fact("broken", on="all")
    def broken(host: Any) -> Any:
        raise ValueError("no")

    @fact("large", on="server")
    def large(host: Any) -> Any:
        return "x" * 70_000

    @fact("elsewhere", on="agent")
    def elsewhere(host: Any) -> Any:
        return 1

    found = collect(target(stub, Machine(), nothing, said, broken, large, elsewhere, params={"who": "ada"})).nodes["server"]
    assert found.facts == {"said": ["from testinfra", "ada"]}
    assert found.problems == ["fact broken: ValueError: no", "fact large: ValueError: it returned more than 64 KiB"]


def test_facts_read_what_is_no_utf_8() -> None:
    class Utf16(Machine):
        def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
            return Completed(tuple(argv), 0, "kind: Config".encode("utf-16"), b"")

    assert "k" in host_of(cast("Any", Utf16())).run("cat laptop.yaml").stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="machines run Linux")
def test_the_script_on_a_real_machine(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "text").chmod(0o640)
    (tmp_path / "binary").write_bytes(b"\0\1")
    (tmp_path / "of-windows").write_text("hello\n", encoding="utf-16")
    (tmp_path / "long").write_text("x" * 100_000)
    (tmp_path / "link").symlink_to("text")
    (tmp_path / "dangling").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("text", "binary", "of-windows", "long", "link", "dangling", "none", "")]
    lab_file = lab().file
    wanted = Collect(files=paths, units=["k3s"], sysctls=["kernel.ostype", "no.such", "../../etc/passwd"])
    one = Lab(
        type(lab_file)(**{**{name: getattr(lab_file, name) for name in lab_file.__struct_fields__}, "collect": {"server": wanted}}), Path()
    )
    found = collect(target(stub, RealMachine(), of=one)).nodes["server"]
    assert found.reachable, found.why
    files = {Path(path).name: state for path, state in found.files.items()}
    assert (files["text"].text, files["text"].mode, files["text"].size, files["text"].kind) == ("hello\n", "640", 6, "file")
    assert files["binary"].text is None
    assert files["of-windows"].text == "hello\n"
    assert (len(files["long"].text), files["long"].cut) == (65536, True)
    assert (files["link"].text, files["link"].target) == ("hello\n", "text")
    assert (files["dangling"].kind, files["dangling"].exists) == ("link", True)
    assert files["none"].exists is False
    assert "text" in files[tmp_path.name].names
    assert found.sysctls == {"kernel.ostype": "Linux", "no.such": None, "../../etc/passwd": None}
    assert abs(found.time - time.time()) < 60
    assert any(port.port == stub.port and port.address == "127.0.0.1" for port in found.ports)


def test_config_of_k3s_is_merged_as_k3s_does() -> None:
    merged, problem = merge_configs(
        {
            "config.yaml": "token: a\ntls-san: [one]\nnode-label: [x=1]\n",
            "config.yaml.d/10.yaml": "tls-san+: [two]\nnode-label: [y=2]\n",
            "config.yaml.d/20.yaml": "tls-san+: three\ndisable+: traefik\n",
            "config.yaml.d/30.yaml": "a: [",
        }
    )
    assert merged == {"token": "a", "tls-san": ["one", "two", "three"], "node-label": ["y=2"], "disable": ["traefik"]}
    assert problem.startswith("config.yaml.d/30.yaml: ")


@pytest.mark.parametrize(
    "odd",
    ["1: one", "on: yes", "a: 2026-99-99", "a: !!int x", "a: !!timestamp x", "a: &a {b: *a}", "2026-01-01: a", "? [a]\n: b", "a: {1: b}"],
)
def test_odd_configs_of_k3s_break_nothing(odd: str) -> None:
    merged, _ = merge_configs({"config.yaml": odd, "config.yaml.d/10.yaml": "disable: traefik"})
    assert merged.pop("disable") == "traefik"
    assert all(isinstance(key, str) for key in Redactor("key").mapping(merged))


def test_the_mark_of_a_machine_changes_with_what_it_would_say(tmp_path: Path) -> None:
    class Here(RealMachine):
        def run(self, argv: Sequence[str], *, input: bytes | None = None, timeout_s: float, user: str = "root") -> Completed:
            done = subprocess.run(argv, capture_output=True, timeout=timeout_s, check=False)
            return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)

    answer = tmp_path / "an answer.txt"
    wanted = Collect(files=[str(answer)], sysctls=["net.ipv4.ip_forward"])
    without = mark_of(Here(), wanted)
    assert without
    answer.write_text("one")
    first = mark_of(Here(), wanted)
    answer.write_text("two")
    second = mark_of(Here(), wanted)
    assert len({without, first, second}) == 3
    with socket.create_server(("127.0.0.1", 0)):
        assert mark_of(Here(), wanted) != second
    assert mark_of(Machine(answer=Unreachable("It is not running")), wanted) == b""


@pytest.mark.parametrize("text", ["a: 2026-13-45", "a: !!bool x", "a: !!timestamp x", "a: !!int x", "[" * 5000])
def test_a_config_file_that_is_hardly_yaml_is_a_problem_and_breaks_nothing(text: str) -> None:
    merged, problem = merge_configs({"/etc/rancher/k3s/config.yaml": "disable: [traefik]", "/etc/rancher/k3s/config.yaml.d/x.yaml": text})
    assert merged == {"disable": ["traefik"]}
    assert problem.startswith("/etc/rancher/k3s/config.yaml.d/x.yaml: ")


def test_a_config_file_s_keys_may_be_no_words() -> None:
    assert merge_configs({"f": "6443: x\n~: y\ndisable: [traefik]"}) == ({"6443": "x", "null": "y", "disable": ["traefik"]}, "")
