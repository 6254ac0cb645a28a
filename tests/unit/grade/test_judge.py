"""Verdicts: what passes, fails, waits, is blocked, is our own error."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from courselab.grade import at_least, check, diagnose, expect, fail, partial, probe
from courselab.grade.evidence import ClusterState, Evidence, NodeState, ProbeResult, UnitState
from courselab.grade.judge import judge
from courselab.grade.verdict import Judged, Trouble, VerdictName, settle_up
from tests.unit.grade.builders import (
    NOW,
    checker,
    container,
    deployment,
    endpoint_slice,
    event,
    evidence,
    machine_state,
    node,
    obj,
    pod,
    replica_set,
    service,
    waiting,
)


@check("02.deploy", reads=["Deployment"])
def deploy(cluster: Any, params: Any) -> None:
    web = cluster.get("Deployment", "web", namespace=params.namespace)
    expect(web).matches({"spec": {"replicas": int(params.replicas)}, "status": {"availableReplicas": at_least(3)}})


def one(found: Evidence, *functions: Any, **options: Any) -> Judged:
    """The verdict of the first check."""
    return judge(checker(*(functions or (deploy,))), found, **options)[0]


def broken_image(**status: int) -> list[Any]:
    """A Deployment whose new pod has an image that is not there."""
    bad = [container(image="course/web:9")]
    web = deployment(containers=bad, status={"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, **status})
    sets = replica_set(web, 1)
    return [web, sets, pod(owner=sets, ready=False, phase="Pending", containers=bad, state=waiting("ImagePullBackOff")), node()]


def test_pass() -> None:
    judged = one(evidence(deployment()))
    assert judged.verdict is VerdictName.PASS
    assert judged.credit == 1
    assert judged.kinds == {"Deployment"}


def test_fail_says_expected_actual_and_path() -> None:
    judged = one(evidence(deployment(replicas=2)))
    assert (judged.verdict, judged.path, judged.expected, judged.actual) == (VerdictName.FAIL, "spec.replicas", "3", "2")
    assert judged.why == ()


def test_a_failure_that_cannot_mend_itself_fails_at_once_and_says_why() -> None:
    judged = one(evidence(broken_image()))
    assert judged.verdict is VerdictName.FAIL
    assert judged.diagnosis == "image-tag"
    assert judged.why[0].startswith("Deployment web → ReplicaSet web-6d9f7c1 → Pod web-1")
    assert judged.next


def test_a_failure_that_may_mend_itself_waits() -> None:
    young = deployment(status={"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 1})
    judged = one(evidence(young))
    assert judged.verdict is VerdictName.WAITING
    assert judged.waits_for == "Deployment web has 1 of 3 pods available"
    final = settle_up([judged], 30.0)[0]
    assert final.verdict is VerdictName.FAIL
    assert "still converging after 30 s: Deployment web has 1 of 3 pods available" in final.message


def test_a_wrong_answer_that_stands_still_does_not_wait() -> None:
    assert one(evidence(deployment(name="api"))).verdict is VerdictName.FAIL


@pytest.mark.parametrize(
    ("status", "generation"),
    [
        ({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "availableReplicas": 3}, 2),  # old pods still answer
        ({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}, 2),  # the status is of another spec
    ],
)
def test_never_pass_on_a_state_that_is_about_to_disappear(status: dict[str, int], generation: int) -> None:
    web = deployment(status=status)
    judged = one(evidence(web))
    assert judged.verdict is VerdictName.WAITING
    assert settle_up([judged], 0)[0].verdict is VerdictName.FAIL


def test_a_dying_object_does_not_pass() -> None:
    web = deployment()
    web["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    assert "is being deleted" in one(evidence(web)).waits_for


def test_what_goes_passes_no_check_not_even_one_that_takes_broken_objects() -> None:
    @check("02.service", reads=["Service"], settled=False)
    def found(cluster: Any) -> None:
        cluster.get("Service", "web", namespace="shop")

    there, shop = service(selector={}), obj("Namespace", "shop", status={"phase": "Active"})
    shop["metadata"].pop("namespace", None)
    assert one(evidence([there, shop]), found).passed
    there["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    assert "Service web is being deleted" in one(evidence([there, shop]), found).message
    del there["metadata"]["deletionTimestamp"]
    shop["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    gone = one(evidence([there, shop]), found)
    assert "Namespace shop is being deleted" in gone.message
    assert not gone.passed


def test_what_is_still_coming_does_not_hold_back_what_is_right_already() -> None:
    @check("02.service", reads=["Service", "Ingress"])
    def found(cluster: Any) -> None:
        cluster.get("Service", "web", namespace="shop")
        cluster.get("Ingress", "web", namespace="shop")

    coming = [
        service(selector={}, spec={"type": "LoadBalancer"}),
        obj("IngressClass", "traefik", spec={}),
        obj("Ingress", "web", spec={"ingressClassName": "traefik"}, status={}),
    ]
    assert one(evidence(coming), found).passed
    coming[0]["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    assert "Service web is being deleted" in one(evidence(coming), found).waits_for


def test_old_pods_that_still_answer_do_not_hide_a_rollout_that_is_stuck() -> None:
    judged = one(evidence(broken_image(availableReplicas=3)))
    assert judged.verdict is VerdictName.FAIL
    assert judged.diagnosis == "image-tag"


def test_a_check_may_be_about_an_object_that_never_settles() -> None:
    @check("02.crash", reads=["Deployment"], settled=False)
    def crash(cluster: Any) -> None:
        cluster.get("Deployment", "web", namespace="shop")

    assert one(evidence(broken_image()), crash).passed


def test_a_check_that_takes_what_never_settles_takes_no_status_of_before() -> None:
    @check("02.crash", reads=["Deployment"], settled=False)
    def available(cluster: Any) -> None:
        expect(cluster.get("Deployment", "web", namespace="shop")).matches({"status": {"availableReplicas": at_least(1)}})

    before = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    assert one(evidence(deployment(status=before)), available).passed
    just_changed = deployment(status={**before, "observedGeneration": 1})
    assert one(evidence(just_changed), available).waits_for == "Deployment web has just been changed"


def test_a_mistake_of_before_does_not_fail_what_is_being_rolled_out() -> None:
    web, old, stuck, machine = broken_image(replicas=2)
    new = replica_set(web, 1, revision=2)
    starting = pod("web-2", new, ready=False, phase="Pending", state=waiting("ContainerCreating"))
    assert one(evidence(web, old, stuck, machine)).verdict is VerdictName.FAIL
    assert one(evidence(web, old, stuck, machine, new, starting)).verdict is VerdictName.WAITING
    web["status"]["observedGeneration"] = 1
    assert one(evidence(web, old, stuck, machine)).verdict is VerdictName.WAITING


def test_an_object_from_a_list_counts_once_the_check_relies_on_it() -> None:
    rolling = {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "availableReplicas": 3}

    @check("02.any", reads=["Deployment"])
    def relies(cluster: Any) -> None:
        cluster.rely(next(found for found in cluster.list("Deployment") if found["metadata"]["name"] == "web"))

    @check("02.other", reads=["Deployment"])
    def lists(cluster: Any) -> None:
        assert cluster.list("Deployment")

    found = evidence(deployment(status=rolling), deployment("mess", status=rolling))
    assert one(found, relies).verdict is VerdictName.WAITING
    assert one(found, lists).passed, "what else the student tries does not count"


def test_blocked_until_the_needed_check_passes() -> None:
    @check("02.image", needs=["02.deploy"], reads=["Deployment"])
    def later(cluster: Any) -> None:
        raise AssertionError("must not count")

    judged = judge(checker(later, deploy), evidence())
    assert [found.verdict for found in judged] == [VerdictName.BLOCKED, VerdictName.FAIL]
    assert judged[0].message == "needs 02.deploy first"


def test_our_own_mistake_is_an_error_with_a_report(tmp_path: Path) -> None:
    @check("02.deploy")
    def broken() -> None:
        raise KeyError("replicas")

    judged = one(evidence(), broken, bug_folder=tmp_path)
    assert judged.verdict is VerdictName.ERROR
    assert judged.trouble is Trouble.OURS
    (report,) = tmp_path.glob("bug-02.deploy-*.txt")
    assert str(report) in judged.message
    assert "KeyError: 'replicas'" in report.read_text()
    assert "not your fault" in judged.message


@pytest.mark.parametrize("reads", [[], ["Pod"]])
def test_an_undeclared_kind_is_our_own_mistake(reads: list[str]) -> None:
    @check("02.deploy", reads=reads)
    def careless(cluster: Any) -> None:
        cluster.list("Secret")

    judged = one(evidence(), careless)
    assert judged.trouble is Trouble.OURS
    assert 'add "Secret" to reads=' in judged.message


def test_a_check_that_ends_the_program_does_not() -> None:
    @check("02.deploy")
    def leaves() -> None:
        raise SystemExit(0)

    assert one(evidence(), leaves).trouble is Trouble.OURS


def test_an_argument_that_does_not_exist_is_our_own_mistake() -> None:
    @check("02.deploy")
    def careless(clutser: Any) -> None: ...

    assert "it may ask for: cluster, nodes, probes, params" in one(evidence(), careless).message


def test_a_check_that_does_not_end_is_our_own_mistake() -> None:
    @check("02.deploy", deadline_s=0.05)
    def slow() -> None:
        time.sleep(1)

    assert "has not ended after 0.05 s" in one(evidence(), slow).message


def test_a_machine_that_does_not_answer_is_an_error_only_for_checks_that_need_it() -> None:
    @check("02.port")
    def port(nodes: Any) -> None:
        assert nodes["server"].port(80).listening

    found = evidence(deployment(), nodes={"server": NodeState(reachable=False, why="no route")})
    judged = judge(checker(deploy, port), found)
    assert [one.verdict for one in judged] == [VerdictName.PASS, VerdictName.ERROR]
    assert judged[1].trouble is Trouble.UNREACHABLE
    assert "no route" in judged[1].message


def test_k3s_that_does_not_run_is_a_failure_with_unit_and_log() -> None:
    units = {"k3s": UnitState(load="loaded", active="failed", sub="failed", exit_code=1, restarts=5, log=["level=fatal msg=bad config"])}
    down = evidence(cluster=ClusterState(reachable=False, why="connection refused"), nodes={"server": machine_state(units=units)})
    judged = one(down)
    assert judged.verdict is VerdictName.FAIL
    assert "its unit is failed" in judged.message
    assert "unit k3s on machine server: failed (failed), restarted 5 times, ended with code 1" in judged.why
    assert "log: level=fatal msg=bad config" in judged.why


def test_k3s_that_is_starting_is_waited_for() -> None:
    units = {"k3s": UnitState(load="loaded", active="activating", sub="start")}
    starting = evidence(cluster=ClusterState(reachable=False, why="refused"), nodes={"server": machine_state(units=units)})
    assert one(starting).waits_for == "unit k3s on machine server is activating"
    looping = {"k3s": UnitState(load="loaded", active="activating", sub="auto-restart")}
    crashing = evidence(cluster=ClusterState(reachable=False, why="refused"), nodes={"server": machine_state(units=looping)})
    assert one(crashing).verdict is VerdictName.FAIL
    fresh = {"k3s": UnitState(load="loaded", active="active", sub="running", since=NOW - 3)}
    opening = evidence(cluster=ClusterState(reachable=False, why="refused"), nodes={"server": machine_state(units=fresh)})
    assert "has just started" in one(opening).waits_for


def test_what_is_on_its_way_on_a_machine_is_waited_for_by_what_fails() -> None:
    @check("02.deploy", reads=["Deployment"])
    def applied(cluster: Any, nodes: Any) -> None:
        nodes["server"].settling("K3s has not looked at the file yet")
        cluster.get("Deployment", "web", namespace="shop")

    judged = one(evidence(), applied)
    assert (judged.verdict, judged.waits_for) == (VerdictName.WAITING, "K3s has not looked at the file yet")
    assert judged.reads_nodes, "only asking the machine again shows when it is over"
    assert one(evidence(deployment()), applied).passed


def test_what_is_on_its_way_counts_more_than_a_cause_of_before() -> None:
    @check("02.deploy", reads=["Deployment"])
    def mended(cluster: Any, nodes: Any) -> None:
        found = cluster.get("Deployment", "web", namespace="shop")
        nodes["server"].settling("K3s has not looked at the file yet")
        expect(found).matches({"status": {"availableReplicas": at_least(3)}})

    assert one(evidence(broken_image())).verdict is VerdictName.FAIL
    assert one(evidence(broken_image()), mended).verdict is VerdictName.WAITING


def test_a_job_that_fails_says_nothing_of_a_chart_that_was_mended() -> None:
    @check("02.deploy", reads=["HelmChart", "Job", "Pod"])
    def installed(cluster: Any) -> None:
        cluster.get("HelmChart", "hello", namespace="shop")
        job = cluster.get("Job", "helm-install-hello", namespace="shop")
        fail("It is not installed", about=job)

    chart = obj("HelmChart", "hello", spec={"chart": "hello"}, status={"jobName": "helm-install-hello"})
    job = obj("Job", "helm-install-hello", spec={}, status={"failed": 2})
    job["metadata"]["creationTimestamp"] = "2026-09-21T14:00:00Z"
    crashing = pod("helm-install-hello-1", job, ready=False, state=waiting("CrashLoopBackOff"))
    crashing["status"]["containerStatuses"][0]["restartCount"] = 4
    found = evidence(chart, job, crashing, node())
    assert one(found, installed).verdict is VerdictName.FAIL
    found.cluster.kinds["HelmChart"].changed[chart["metadata"]["uid"]] = NOW - 1
    assert one(found, installed).verdict is VerdictName.WAITING


def test_a_manifest_that_was_mended_explains_nothing() -> None:
    @check("02.deploy", reads=["Addon", "Deployment"])
    def applied(cluster: Any) -> None:
        cluster.get("Addon", "shop", namespace="kube-system")
        cluster.get("Deployment", "web", namespace="shop")

    addon = obj("Addon", "shop", namespace="kube-system")
    refused, done = event(addon, "ApplyManifestFailed", "no such kind"), event(addon, "AppliedManifest", "done", type="Normal")
    refused["lastTimestamp"], done["lastTimestamp"] = "2026-09-21T14:00:00Z", "2026-09-21T14:00:05Z"
    assert "no such kind" in " ".join(one(evidence(addon, refused), applied).why)
    assert one(evidence(addon, refused, done), applied).why == ()


def test_partial_credit_has_a_reason_for_each_part() -> None:
    @check("02.requests", reads=["Deployment"])
    def requests(cluster: Any) -> None:
        web = cluster.get("Deployment", "web", namespace="shop")
        with partial() as part:
            with part("replicas"):
                expect(web).matches({"spec": {"replicas": 3}})
            with part("limits", weight=2):
                expect(web).matches({"spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "1"}}}]}}}})
            with part("a label"):
                assert web["metadata"].get("labels"), "no label"

    judged = one(evidence(deployment()), requests)
    assert judged.verdict is VerdictName.FAIL
    assert judged.credit == 0.25
    assert judged.why[:3] == ("done: replicas", "not yet: limits", "not yet: a label")
    assert judged.path == "spec.template.spec.containers[web].resources"


def test_all_parts_make_a_pass() -> None:
    @check("02.requests")
    def requests() -> None:
        with partial() as part, part("all"):
            pass

    assert one(evidence(), requests).passed


def test_a_plain_assert_is_explained() -> None:
    @check("02.deploy", reads=["Deployment"])
    def plain(cluster: Any, params: Any) -> None:
        web = cluster.get("Deployment", "web", namespace="shop")
        assert web["spec"]["replicas"] == int(params.replicas) + 2

    @check("02.deploy", reads=["Pod"])
    def bare(cluster: Any) -> None:
        pods = cluster.list("Pod")
        assert pods and all(found["spec"]["nodeName"] == "server" for found in pods), "pods run on server"

    judged = one(evidence(deployment()), plain)
    assert (judged.expected, judged.actual) == ("web['spec']['replicas']: 5", "3")
    judged = one(evidence(), bare)
    assert judged.message.startswith("pods run on server")
    assert "pods = []" in judged.actual


def test_the_first_diagnosis_that_recognises_its_mistake_names_it() -> None:
    @diagnose("02.deploy", "never")
    def never(cluster: Any) -> str | None:
        return None

    @diagnose("02.deploy", "broken")
    def broken() -> str | None:
        raise ValueError("a diagnosis may break and harms nobody")

    @diagnose("02.deploy", "not-there")
    def not_there(cluster: Any) -> str | None:
        return str(cluster.get("Pod", "none"))

    @diagnose("02.deploy", "other-namespace")
    def other_namespace(cluster: Any, failure: Any) -> str | None:
        return f"It is in {cluster.list('Deployment')[0]['metadata']['namespace']}: {failure.actual}"

    @diagnose("02.deploy", "too-late")
    def too_late() -> str | None:
        return "must not be asked"

    judged = one(evidence(deployment(namespace="default")), deploy, never, broken, not_there, other_namespace, too_late)
    assert judged.diagnosis == "other-namespace"
    assert judged.message.startswith("It is in default: ")


def test_an_experiment_not_made_blocks_and_a_broken_one_is_an_error() -> None:
    @check("02.heal", probes=["02.replacement"])
    def heal(probes: Any) -> None:
        assert probes["02.replacement"]["ready"]

    judged = one(evidence(), heal, pending={"02.replacement": "only `lab check` makes it"})
    assert (judged.verdict, judged.message) == (VerdictName.BLOCKED, "only `lab check` makes it")
    assert one(evidence(probes={"02.replacement": ProbeResult(error="timeout")}), heal).trouble is Trouble.UNREACHABLE
    assert one(evidence(probes={"02.replacement": ProbeResult(error="KeyError", ours=True)}), heal).trouble is Trouble.OURS
    assert one(evidence(probes={"02.replacement": ProbeResult(result={"ready": True})}), heal).passed


def test_what_a_request_showed_a_moment_after_a_change_may_not_be_the_last_word() -> None:
    @check("02.route", reads=["ConfigMap"], probes=["02.http"])
    def route(cluster: Any, probes: Any) -> None:
        cluster.get("ConfigMap", "app", namespace="shop")
        assert probes["02.http"] == 200

    found = evidence(config := obj("ConfigMap", "app", data={}), probes={"02.http": ProbeResult(result=404)})
    assert one(found, route).verdict is VerdictName.FAIL
    found.cluster.kinds["ConfigMap"].changed[config["metadata"]["uid"]] = NOW - 2
    assert one(found, route).waits_for == "ConfigMap app has just been changed"


def test_what_still_answers_a_moment_after_a_change_does_not_pass_yet() -> None:
    @check("02.route", reads=["Ingress"], probes=["02.http"])
    def route(cluster: Any, probes: Any) -> None:
        assert cluster.list("Ingress")
        assert probes["02.http"] == 200

    found = evidence(changed := obj("Ingress", "web", spec={}), probes={"02.http": ProbeResult(result=200)})
    assert one(found, route).passed
    found.cluster.kinds["Ingress"].changed[changed["metadata"]["uid"]] = NOW - 1
    judged = one(found, route)
    assert (judged.verdict, judged.waits_for) == (VerdictName.WAITING, "Ingress web has just been changed")
    found.cluster.kinds["Ingress"].changed[changed["metadata"]["uid"]] = NOW - 6
    assert one(found, route).passed


def test_a_failure_waits_for_new_endpoints_to_be_met_and_a_pass_does_not() -> None:
    @check("02.route", reads=["Service", "EndpointSlice"], probes=["02.ask"], settled=False)
    def route(cluster: Any, probes: Any) -> None:
        cluster.endpoints_of(cluster.get("Service", "web", namespace="shop"))
        assert probes["02.ask"]

    def judged(answer: bool, seconds_ago: float) -> VerdictName:
        s, ready = service(), pod()
        found = evidence(s, ready, changed := endpoint_slice(s, [ready]), probes={"02.ask": ProbeResult(result=answer)})
        found.cluster.kinds["EndpointSlice"].changed[changed["metadata"]["uid"]] = NOW - seconds_ago
        return one(found, route).verdict

    assert judged(False, 1) is VerdictName.WAITING
    assert judged(False, 6) is VerdictName.FAIL
    assert judged(True, 1) is VerdictName.PASS


def test_an_experiment_that_disturbs_has_waited_itself() -> None:
    @probe("02.heal", effect="disturb", objects=["Deployment/shop/web"])
    def lose_a_pod() -> None: ...

    @check("02.heal", reads=["Deployment"], probes=["02.heal"], settled=False)
    def heal(cluster: Any, probes: Any) -> None:
        cluster.get("Deployment", "web", namespace="shop")
        assert probes["02.heal"]

    found = evidence(changed := deployment(), probes={"02.heal": ProbeResult(result=True)})
    found.cluster.kinds["Deployment"].changed[changed["metadata"]["uid"]] = NOW - 1
    assert one(found, heal, lose_a_pod).passed


def test_secret_parameters_are_compared_and_never_shown() -> None:
    from courselab.grade.redacted import redact

    @check("02.secret", reads=["Secret"])
    def secret(cluster: Any, params: Any) -> None:
        expect(cluster.get("Secret", "db", namespace="shop")).matches({"data": {"password": params.password}})

    params = {"password": redact("hunter22", "k")}
    assert one(evidence(obj("Secret", "db", data={"password": redact("hunter22", "k")}), params=params), secret).passed
    assert not one(evidence(obj("Secret", "db", data={"password": redact("other", "k")}), params=params), secret).passed


def test_a_failure_that_is_to_be_found_is_not_explained_and_not_waited_for() -> None:
    @check("02.deploy", reads=["Deployment", "Pod"])
    def puzzle(cluster: Any) -> None:
        fail("It is down.", expected="200", actual="503", about=cluster.get("Deployment", "web", namespace="shop"), explain=False)

    @diagnose("02.deploy", "spoiler")
    def spoiler() -> str:
        return "The image is wrong."

    for found in (broken_image(), [deployment(status={"observedGeneration": 1, "replicas": 0})]):
        judged = one(evidence(found), puzzle, spoiler)
        assert (judged.verdict, judged.message, judged.actual) == (VerdictName.FAIL, "It is down.", "503")
        assert (judged.why, judged.diagnosis, judged.next, judged.waits_for) == ((), "", "", "")


def test_fail_is_for_what_expect_cannot_say() -> None:
    @check("02.deploy")
    def always() -> None:
        fail("No.", expected="yes", actual="no", next="look")

    judged = one(evidence(), always)
    assert (judged.message, judged.expected, judged.actual, judged.next) == ("No.", "yes", "no", "look")
