"""Evidence stays small whatever a cluster or a machine holds, says what was cut, and is no wrong verdict because of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from courselab.errors import Unreachable
from courselab.grade import check, expect
from courselab.grade.collect import collect
from courselab.grade.evidence import Evidence, encode
from courselab.grade.judge import judge
from courselab.grade.target import Target
from courselab.grade.verdict import Judged, Trouble, VerdictName
from courselab.process import Completed
from tests.unit.grade.api_stub import Stub, serving
from tests.unit.grade.builders import checker, lab, obj, pod
from tests.unit.grade.test_collect import ANSWER, Machine, target

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/reference/evidence.schema.json").read_text(encoding="utf-8"))
FITS = jsonschema.Draft202012Validator(SCHEMA)  # validate() would look through the schema itself each time; test_evidence.py does
MIB = 1024 * 1024


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as found:
        yield found


def collected(stub: Stub, machine: Any = None, *functions: Any) -> Evidence:
    """Evidence of what the stub serves; it always fits its schema."""
    found = collect(target(stub, machine, *functions))
    FITS.validate(json.loads(encode(found)))
    return found


def config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    one = obj("ConfigMap", name, namespace="shop")
    one["data"] = data
    return one


# Too many objects -------------------------------------------------------------------------------------------------------------


@check("02.deploy", reads=["Pod"])
def last_pod(cluster: Any) -> None:
    cluster.get("Pod", "web-1999", namespace="shop")


@check("02.deploy", reads=["Pod"])
def first_pod(cluster: Any) -> None:
    cluster.get("Pod", "web-0", namespace="shop")


@check("02.deploy", reads=["Pod"])
def no_pods(cluster: Any) -> None:
    assert cluster.list("Pod", namespace="other"), "no pod is there"


@check("02.deploy", reads=["Service"])
def no_service(cluster: Any) -> None:
    cluster.get("Service", "web", namespace="shop")


@pytest.mark.parametrize(
    ("function", "verdict"),
    [(first_pod, VerdictName.PASS), (last_pod, VerdictName.ERROR), (no_pods, VerdictName.ERROR), (no_service, VerdictName.FAIL)],
)
def test_two_thousand_pods(stub: Stub, function: Any, verdict: VerdictName) -> None:
    stub.add(*(pod(f"web-{place}") for place in range(2000)))
    found = collected(stub, None, function)
    assert len(found.cluster.kinds["Pod"].items) == 1000
    assert found.trimmed == ["Pod: 1000 more objects"]
    one = judge(checker(function), found)[0]
    assert one.verdict is verdict
    if verdict is VerdictName.ERROR:
        assert "too many objects of kind Pod" in one.message


def test_pods_that_are_large_are_fewer(stub: Stub) -> None:
    for place in range(200):
        large = pod(f"web-{place}")
        large["metadata"]["annotations"] = {f"note-{key}": "x" * 15_000 for key in range(16)}
        stub.add(large)
    found = collected(stub)
    assert 10 < len(found.cluster.kinds["Pod"].items) < 100
    assert len(encode(found)) < 20 * MIB
    assert found.trimmed == [f"Pod: {200 - len(found.cluster.kinds['Pod'].items)} more objects"]


# Too large an object ----------------------------------------------------------------------------------------------------------

FIVE_MIB = {
    "one text": {"text": "x" * 5 * MIB},
    "many texts": {f"key-{place}": "x" * 15_000 for place in range(350)},
    "very many small ones": {f"key-{place}": "x" for place in range(200_000)},
}


@check("02.deploy", reads=["ConfigMap"])
def end_of_text(cluster: Any) -> None:
    found = cluster.get("ConfigMap", "big", namespace="shop")
    expect(found).matches({"data": {"last": "there"}})


@check("02.deploy", reads=["ConfigMap"])
def other_text(cluster: Any) -> None:
    expect(cluster.get("ConfigMap", "small", namespace="shop")).matches({"data": {"a": "2"}})


@check("02.deploy", reads=["Deployment"])
def what_every_object_has(cluster: Any) -> None:
    assert cluster.get("Deployment", "big", namespace="shop")["spec"]["replicas"] == 1


def test_a_part_that_every_object_has_and_that_is_gone_is_no_mistake_of_the_check(stub: Stub) -> None:
    big = obj("Deployment", "big", namespace="shop", spec={"replicas": 1})
    big["metadata"]["annotations"] = {f"key-{place}": "x" * 80 for place in range(3_000)}
    stub.add(big)
    one = judge(checker(what_every_object_has), collected(stub, None, what_every_object_has))[0]
    assert (one.verdict, one.trouble) == (VerdictName.ERROR, Trouble.UNREACHABLE)
    assert "Deployment big is too large" in one.message


@pytest.mark.parametrize("data", FIVE_MIB.values(), ids=FIVE_MIB)
def test_a_config_map_of_five_megabytes(stub: Stub, data: dict[str, str]) -> None:
    stub.add(config_map("big", {**data, "last": "there"}), config_map("small", {"a": "1"}))
    found = collected(stub, None, end_of_text)
    assert len(encode(found)) < MIB
    big, small = found.cluster.kinds["ConfigMap"].items
    assert (big["kind"], big["apiVersion"], big["metadata"]["name"]) == ("ConfigMap", "v1", "big")
    assert small["data"] == {"a": "1"}
    assert found.cluster.kinds["ConfigMap"].cut == [big["metadata"]["uid"]]
    assert found.trimmed
    one = judge(checker(end_of_text), found)[0]
    if "last" not in big["data"]:
        assert one.verdict is VerdictName.ERROR
        assert "ConfigMap big is too large" in one.message
    assert judge(checker(other_text), found)[0].verdict is VerdictName.FAIL


def test_a_secret_of_many_keys_keeps_whole_place_holders(stub: Stub) -> None:
    secret = obj("Secret", "big", namespace="shop")
    secret["data"] = {f"key-{place}": "c2VjcmV0LXZhbHVl" for place in range(20_000)}
    stub.add(secret)
    [kept] = collected(stub).cluster.kinds["Secret"].items
    assert 100 < len(kept["data"]) < 20_000
    assert all("raw" in holder["$secret"] for holder in list(kept["data"].values())[:-1])


# A machine that says too much -------------------------------------------------------------------------------------------------


def test_a_machine_that_floods_its_journal(stub: Stub) -> None:
    flood = {"load": "loaded", "active": "active", "log": ["x" * 2000] * 20}
    answer = {**ANSWER, "units": {"k3s": flood}, "trimmed": ["log lines of unit k3s"]}
    found = collected(stub, Machine(answer))
    assert found.nodes["server"].reachable
    assert "server: log lines of unit k3s" in found.trimmed
    assert len(encode(found)) < MIB


def test_the_script_cuts_what_a_flooded_journal_gives(tmp_path: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("facts", Path(__file__).parents[3] / "src/courselab/grade/machine_facts.py")
    assert spec
    assert spec.loader
    facts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(facts)
    endless = tmp_path / "journalctl"
    endless.write_text("#!/bin/sh\nexec yes 'a line of the flood'\n")
    endless.chmod(0o755)
    problems: list[str] = []
    text = facts.finish(facts.start([str(endless)]), facts.time.monotonic() + 30, problems, "journalctl")
    assert facts.PROGRAM_LIMIT <= len(text) < facts.PROGRAM_LIMIT + 70_000
    assert problems == []


def test_an_answer_beyond_all_bounds_is_refused(stub: Stub) -> None:
    found = collected(stub, Machine(Completed((), 0, b"[" + b"1," * 5 * MIB + b"1]", b"")))
    assert not found.nodes["server"].reachable
    assert found.cluster.reachable


# A machine that does not answer -----------------------------------------------------------------------------------------------


@check("02.deploy", reads=["Pod"])
def reads_cluster(cluster: Any) -> None:
    cluster.get("Pod", "web", namespace="shop")


@check("02.scale")
def reads_server(nodes: Any) -> None:
    assert nodes["server"].hostname == "server"


@check("02.image")
def reads_agent(nodes: Any) -> None:
    assert nodes["agent"].hostname == "agent"


def test_a_dead_machine_is_waited_for_beside_all_others_and_fails_only_what_reads_it(stub: Stub) -> None:
    """The dead one gives up only once everything else was asked: were they asked one after the other, nobody would end."""
    others = threading.Event()

    class Live(Machine):
        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            if stub_asked():
                others.set()
            return super().run(argv, **options)

    def stub_asked() -> bool:
        for _ in range(500):
            if any("pods" in path for path in stub.asked):
                return True
            threading.Event().wait(0.01)
        return False

    class Dead(Machine):
        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            assert others.wait(10), "the others were not asked meanwhile"
            raise Unreachable("Machine agent does not answer within 10 s")

    stub.add(pod("web"))
    made = checker(reads_cluster, reads_server, reads_agent)
    found = collect(Target(lab(), made, {}, {"agent": Dead(), "server": Live()}, stub.kubeconfig, key="k"))
    verdicts: dict[str, Judged] = {one.id: one for one in judge(made, found)}
    assert [verdicts[id].verdict for id in ("02.deploy", "02.scale", "02.image")] == [VerdictName.PASS, VerdictName.PASS, VerdictName.ERROR]
    assert "Machine agent does not answer" in verdicts["02.image"].message
    assert [one.what for one in found.missing] == ["nodes/agent"]


def test_the_schema_is_the_one_that_the_code_makes() -> None:
    from courselab.site.reference import evidence_json_schema

    assert json.loads(evidence_json_schema()) == SCHEMA, "run ./lab site reference"
