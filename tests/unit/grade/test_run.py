"""A check run: waiting for what settles, experiments, and what ends the wait; no cluster and no real time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from courselab.errors import LabError
from courselab.grade import at_least, check, expect, fail, probe
from courselab.grade.evidence import ClusterState, Evidence, decode, encode
from courselab.grade.run import Engine, Outcome, Progress, judge_saved, run_checks
from courselab.grade.target import Target
from courselab.grade.verdict import VerdictName
from tests.unit.grade.builders import checker, container, deployment, evidence, lab, node, pod, replica_set, task, waiting


@check("02.deploy", reads=["Deployment"])
def deploy(cluster: Any) -> None:
    expect(cluster.get("Deployment", "web", namespace="shop")).matches({"status": {"availableReplicas": at_least(3)}})


def rolling(available: int) -> Evidence:
    return evidence(deployment(status={"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": available}))


@dataclass
class World:
    """Evidence in the order in which it will be seen, and a clock that only waiting moves."""

    frames: list[Evidence]
    now: float = 1000.0
    waits: list[float] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    wait_takes: Callable[[float], float] = lambda timeout: min(timeout, 0.5)
    whole: bool = True
    closed: bool = False

    def collect(self, target: Target, redactor: Any = None) -> Evidence:
        return self.frames.pop(0) if len(self.frames) > 1 else self.frames[0]

    def changes(self, target: Target, found: Evidence, kinds: Any) -> World:
        self.watched = list(kinds)
        return self

    def wait(self, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        self.now += self.wait_takes(timeout_s)
        return True

    def close(self) -> None:
        self.closed = True

    def engine(self) -> Engine:
        return Engine(collect=self.collect, changes=self.changes, monotonic=lambda: self.now)


def target(*functions: Any, **options: Any) -> Target:
    found = checker(*functions)
    tasks = [task(one.mark.id, deadline_s=options.get("deadline_s", 30)) for one in found.checks]
    return Target(lab(*tasks), found, {"namespace": "shop"}, {}, None, key="lab-key")


def run(world: World, *functions: Any, deadline_s: int = 30, **options: Any) -> Outcome:
    return run_checks(target(*functions, deadline_s=deadline_s), engine=world.engine(), **options)


def verdicts(outcome: Outcome) -> list[str]:
    return [one.verdict.value for one in outcome.judged]


def test_waiting_ends_as_soon_as_it_is_decided() -> None:
    world = World([rolling(1), rolling(2), rolling(3), rolling(3)])
    told: list[Progress] = []
    outcome = run(world, deploy, on_update=told.append)
    assert verdicts(outcome) == ["pass"]
    assert [one.waits_for for one in told] == ["Deployment web has 1 of 3 pods available", "Deployment web has 2 of 3 pods available"]
    assert told[1].seconds_left == 29.5
    assert "Deployment" in world.watched
    assert "Pod" in world.watched
    assert world.closed
    assert outcome.report.seconds == 1.0


def test_waiting_ends_at_the_deadline_of_the_task() -> None:
    world = World([rolling(2)])
    outcome = run(world, deploy, deadline_s=3)
    assert verdicts(outcome) == ["fail"]
    assert "still converging after 3 s: Deployment web has 2 of 3 pods available" in outcome.judged[0].message
    assert outcome.report.results[0].expected == "at least 3"


def test_waiting_ends_when_it_has_become_hopeless() -> None:
    bad = [container(image="course/web:9")]
    web = deployment(containers=bad, status={"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3})
    sets = replica_set(web)
    hopeless = evidence(web, sets, pod(owner=sets, ready=False, phase="Pending", containers=bad, state=waiting("ErrImagePull")), node())
    world = World([rolling(0), hopeless])
    outcome = run(world, deploy)
    assert verdicts(outcome) == ["fail"]
    assert len(world.waits) == 1
    assert outcome.judged[0].diagnosis == "image-tag"


def test_where_the_watch_broke_it_is_looked_more_often() -> None:
    world = World([rolling(2)], wait_takes=lambda timeout: timeout)
    run(world, deploy, deadline_s=12)
    assert world.waits == [5, 5, 2]
    broken = World([rolling(2)], wait_takes=lambda timeout: timeout, whole=False)
    run(broken, deploy, deadline_s=3)
    assert broken.waits == [1, 1, 1]


def test_no_wait_reports_what_waits() -> None:
    world = World([rolling(1)])
    outcome = run(world, deploy, wait=False)
    assert verdicts(outcome) == ["waiting"]
    assert outcome.report.exit_code == 1
    assert world.waits == []


def test_nothing_to_wait_for_opens_no_watch() -> None:
    world = World([rolling(3)])
    assert verdicts(run(world, deploy)) == ["pass"]
    assert world.watched == []


def test_a_task_with_a_longer_deadline_does_not_stretch_another() -> None:
    @check("02.slow", reads=["Deployment"])
    def slow(cluster: Any) -> None:
        deploy(cluster)

    found = checker(deploy, slow)
    tasks = [task("02.deploy", deadline_s=2), task("02.slow", deadline_s=6)]
    world = World([rolling(1)])
    outcome = run_checks(Target(lab(*tasks), found, {}, {}, None, key="k"), engine=world.engine())
    assert verdicts(outcome) == ["fail", "fail"]
    assert world.now - 1000 == 6


def test_judging_saved_evidence_gives_the_same_without_waiting() -> None:
    live = run(World([rolling(1)]), deploy, deadline_s=2)
    saved = decode(encode(live.evidence))
    again = judge_saved(lab(task("02.deploy")), checker(deploy), saved)
    assert verdicts(again) == ["fail"]
    assert "still converging" in again.judged[0].message
    assert [one.to_json() | {"message": ""} for one in again.report.results] == [
        one.to_json() | {"message": ""} for one in live.report.results
    ]


# Experiments -----------------------------------------------------------------------------------------------------------------


class Lab:
    """What happened around experiments."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        self.happened.append("locked")
        yield
        self.happened.append("unlocked")


@check("02.heal", needs=["02.deploy"], probes=["02.replacement"])
def heal(probes: Any) -> None:
    assert probes["02.replacement"] == "replaced"


def replacement(seen: Lab, result: str = "replaced") -> Any:
    @probe("02.replacement", effect="disturb", needs=["02.deploy"], objects=["Deployment/{namespace}/web"])
    def replacement(lab: Any, cluster: Any, params: Any) -> str:
        assert cluster.find("Deployment", "web", namespace=params.namespace)
        lab.on_exit(lambda: seen.happened.append("put back"))
        seen.happened.append("disturbed")
        return result

    return replacement


def test_a_disturbing_experiment_runs_last_under_the_lock_and_its_result_is_reused() -> None:
    seen, cache = Lab(), {}
    functions = (deploy, heal, replacement(seen))
    first = run(World([rolling(2), rolling(3)]), *functions, lock=seen.lock, cache=cache)
    assert verdicts(first) == ["pass", "pass"]
    assert seen.happened == ["locked", "disturbed", "put back", "unlocked"]
    web = first.evidence.cluster.kinds["Deployment"].items[0]
    again = run(World([evidence(web)]), *functions, lock=seen.lock, cache=cache)
    assert verdicts(again) == ["pass", "pass"]
    assert again.evidence.probes["02.replacement"].reused
    assert len(seen.happened) == 4
    web["metadata"]["generation"] = web["status"]["observedGeneration"] = 7
    run(World([evidence(web)]), *functions, lock=seen.lock, cache=cache)
    assert seen.happened.count("disturbed") == 2


@check("02.there", reads=["Deployment"], settled=False)
def there(cluster: Any) -> None:
    cluster.get("Deployment", "web", namespace="shop")


def about_the_shop(seen: Lab) -> Any:
    @probe("02.replacement", effect="disturb", needs=["02.there"], objects=["Deployment/{namespace}/web"])
    def replacement(lab: Any, cluster: Any) -> str:
        found = cluster.find("Deployment", "web", namespace="shop")["status"]
        seen.happened.append(f"{found['availableReplicas']} available")
        return "replaced"

    return replacement


@check("02.heal", needs=["02.there"], probes=["02.replacement"])
def heals(probes: Any) -> None:
    assert probes["02.replacement"] == "replaced"


def test_a_disturbing_experiment_waits_until_what_it_is_about_has_settled() -> None:
    seen, told, world = Lab(), [], World([rolling(1), rolling(2), rolling(3)])
    outcome = run(world, there, heals, about_the_shop(seen), on_update=told.append)
    assert verdicts(outcome) == ["pass", "pass"]
    assert seen.happened == ["3 available"]
    assert told[0].waits_for == "Deployment web has 1 of 3 pods available"
    assert world.closed
    late = World([rolling(1)])
    run(late, there, heals, about_the_shop(seen), deadline_s=3)
    assert (seen.happened[-1], late.now) == ("1 available", 1003), "no longer than its check may wait"


def test_a_disturbing_experiment_does_not_wait_for_what_never_settles() -> None:
    bad = [container(image="course/web:9")]
    web = deployment(containers=bad, status={"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 0})
    sets = replica_set(web)
    stuck = pod(owner=sets, ready=False, phase="Pending", containers=bad, state=waiting("ErrImagePull"))
    world = World([evidence(web, sets, stuck, node())])
    run(world, there, heals, about_the_shop(Lab()))
    assert world.waits == []


def test_a_result_that_did_not_pass_is_not_reused() -> None:
    seen, cache = Lab(), {}
    outcome = run(World([rolling(3)]), deploy, heal, replacement(seen, "gone"), cache=cache)
    assert verdicts(outcome) == ["pass", "fail"]
    assert cache == {}


@pytest.mark.parametrize(("available", "disturb", "says"), [(3, False, "only `lab check` makes it"), (1, True, "needs 02.deploy first")])
def test_a_disturbing_experiment_is_not_made(available: int, disturb: bool, says: str) -> None:
    seen = Lab()
    outcome = run(World([rolling(available)]), deploy, heal, replacement(seen), disturb=disturb, deadline_s=1)
    assert outcome.judged[1].verdict is VerdictName.BLOCKED
    assert says in outcome.judged[1].message
    assert seen.happened == []


def test_what_a_broken_experiment_changed_is_put_back(tmp_path: Path) -> None:
    seen = Lab()

    @probe("02.replacement", effect="disturb", objects=["Deployment/shop/web"])
    def broken(lab: Any) -> None:
        lab.on_exit(lambda: seen.happened.append("second"))
        lab.on_exit(lambda: seen.happened.append("first"))
        raise KeyError("pod")

    outcome = run(World([rolling(3)]), deploy, heal, broken, bug_folder=tmp_path)
    assert seen.happened == ["first", "second"]
    assert outcome.judged[1].verdict is VerdictName.ERROR
    assert outcome.report.exit_code == 4
    assert "KeyError" in outcome.judged[1].message
    assert list(tmp_path.glob("bug-02.replacement-*"))


def test_an_experiment_that_cannot_put_back_says_so() -> None:
    @probe("02.replacement", effect="disturb", objects=["Deployment/shop/web"])
    def careless(lab: Any) -> str:
        def put_back() -> None:
            raise LabError("no")

        lab.on_exit(put_back)
        return "replaced"

    outcome = run(World([rolling(3)]), deploy, heal, careless)
    assert outcome.judged[1].verdict is VerdictName.ERROR
    assert "could not be put back" in outcome.judged[1].message


def test_observing_experiments_run_at_once_and_again_after_waiting() -> None:
    asked: list[int] = []

    @check("02.route", needs=["02.deploy"], reads=["Deployment"], probes=["02.http"])
    def route(cluster: Any, probes: Any) -> None:
        assert probes["02.http"]["status"] == 200

    @probe("02.http", needs=["02.deploy"])
    def http(lab: Any) -> dict[str, int]:
        asked.append(1)
        return {"status": 200}

    outcome = run(World([rolling(2), rolling(3)]), deploy, route, http)
    assert verdicts(outcome) == ["pass", "pass"]
    assert len(asked) == 1, "it is asked once its needed check has passed"


def test_an_experiment_can_say_itself_what_is_wrong_and_shows_no_secret() -> None:
    @check("02.route", probes=["02.http"])
    def route(probes: Any) -> None:
        probes["02.http"]

    @probe("02.http")
    def http() -> None:
        fail("The shop answers 404", expected="200", actual="404 with hunter22secret", next="curl -v")

    outcome = run_checks(
        Target(lab(task("02.route")), checker(route, http), {"admin_password": "hunter22secret"}, {}, None, key="k"),
        engine=World([evidence()]).engine(),
    )
    assert (outcome.judged[0].message, outcome.judged[0].expected, outcome.judged[0].next) == ("The shop answers 404", "200", "curl -v")
    assert "hunter22secret" not in encode(outcome.evidence).decode()


def test_no_experiment_without_a_cluster() -> None:
    seen = Lab()
    down = evidence(cluster=ClusterState(reachable=False, why="refused"))
    outcome = run(World([down]), deploy, heal, replacement(seen))
    assert verdicts(outcome) == ["fail", "blocked"]
    assert seen.happened == []


def test_a_result_that_is_no_json_or_too_large_is_our_own_mistake() -> None:
    @check("02.route", probes=["02.http"])
    def route(probes: Any) -> None:
        probes["02.http"]

    @probe("02.http")
    def strange() -> Any:
        return object()

    @probe("02.http")
    def large() -> str:
        return "x" * 70_000

    assert run(World([evidence()]), route, strange).report.exit_code == 4
    assert "more than 64 KiB" in run(World([evidence()]), route, large).judged[0].message
