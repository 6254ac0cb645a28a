"""Watching a lab: what changes turns verdicts, and nothing that an API or a lab does makes it wrong, silent or busy."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from courselab.errors import Unreachable
from courselab.grade import at_least, check, expect, probe
from courselab.grade.standing import Update
from courselab.grade.watch import Pace, Watch
from tests.unit.grade.api_stub import Stub, hang_up, refuse, serving
from tests.unit.grade.builders import deployment, namespaces, obj, pod, waiting
from tests.unit.grade.test_collect import ANSWER, Machine, target

HASTY = Pace(nodes=30, waiting=0.05, debounce=0.01, judge=0.02, lasting=0.02, shortest_pause=0.01, longest_pause=0.2, longest_knock=0.02)


@check("02.deploy", reads=["Deployment"])
def deploy(cluster: Any) -> None:
    expect(cluster.get("Deployment", "web", namespace="shop")).matches({"status": {"availableReplicas": at_least(3)}})


@check("02.file")
def file(nodes: Any) -> None:
    assert nodes["server"].sysctl("net.ipv4.ip_forward") == "1"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub(streaming=True)) as found:
        found.add(*namespaces())
        yield found


class Seen:
    """What a watch tells, in the test's own time."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.updates: list[Update] = []
        self.stop = threading.Event()
        self._news: queue.SimpleQueue[Update | BaseException | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for update in self.watch.updates(self.stop):
                self._news.put(update)
            self._news.put(None)
        except BaseException as error:
            self._news.put(error)

    def until(self, found: Callable[[Update], bool]) -> Update:
        """The next update that is like this."""
        while True:
            update = self._next()
            assert update is not None, f"it ended: {self.watch.ended}"
            if found(update):
                return update

    def verdict(self, id: str, verdict: str) -> Update:
        """The next update in which a check has this verdict."""
        return self.until(lambda update: verdicts(update)[id] == verdict)

    def end(self) -> None:
        """Wait until the watch ends."""
        while self._next() is not None:
            pass

    def _next(self) -> Update | None:
        update = self._news.get(timeout=60)
        if isinstance(update, BaseException):
            raise update
        if update is not None:
            self.updates.append(update)
        return update


def verdicts(update: Update) -> dict[str, str]:
    return {one.id: one.verdict.value for one in update.judged}


@contextmanager
def watching(
    stub: Stub, *functions: Any, machine: Any = None, pace: Pace = HASTY, params: dict[str, str] | None = None, **options: Any
) -> Iterator[Seen]:
    from tests.unit.grade.builders import lab, task

    of = lab(*(task(mark.__lab__[0].id) for mark in functions if hasattr(mark.__lab__[0], "reads")))
    found = target(stub, machine, *functions, of=of, params={"namespace": "shop", **(params or {})})
    seen = Seen(Watch(options.pop("aim", lambda: found), pace=pace, **options))
    try:
        yield seen
    finally:
        seen.stop.set()
        seen.watch.wake()


def web(available: int = 3) -> dict[str, Any]:
    made = deployment(status={"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": available})
    made["metadata"]["uid"] = "web"
    return made


def test_a_change_turns_a_verdict_and_back(stub: Stub) -> None:
    with watching(stub, deploy) as seen:
        assert "no Deployment web" in seen.verdict("02.deploy", "fail").judged[0].message
        stub.change("ADDED", web())
        seen.verdict("02.deploy", "pass")
        stub.change("MODIFIED", web(available=1))
        assert seen.verdict("02.deploy", "waiting").waits_for == ("Deployment web has 1 of 3 pods available",)
        stub.change("MODIFIED", web())
        seen.verdict("02.deploy", "pass")
        stub.change("DELETED", web())
        seen.verdict("02.deploy", "fail")


def test_only_the_tasks_drawn_for_the_student_are_watched(stub: Stub) -> None:
    stub.add(web())
    with watching(stub, deploy, file, machine=Machine(), params={"tasks": "deploy"}) as seen:
        update = seen.verdict("02.deploy", "pass")
    assert verdicts(update) == {"02.deploy": "pass"}


def test_only_checks_that_read_what_changed_run_again(stub: Stub) -> None:
    ran: list[str] = []

    @check("02.deploy", reads=["Deployment"])
    def deployments(cluster: Any) -> None:
        ran.append("deploy")

    @check("02.maps", reads=["ConfigMap"])
    def maps(cluster: Any) -> None:
        ran.append("maps")
        assert len(cluster.list("ConfigMap")) < 2

    with watching(stub, deployments, maps) as seen:
        seen.verdict("02.maps", "pass")
        ran.clear()
        stub.change("ADDED", obj("ConfigMap", "one"))
        stub.change("ADDED", obj("ConfigMap", "two"))
        seen.verdict("02.maps", "fail")
        assert set(ran) == {"maps"}


def test_an_event_explains_what_had_failed_before_it_came(stub: Stub) -> None:
    made = web(available=0)
    stub.add(made)
    with watching(stub, deploy) as seen:
        seen.verdict("02.deploy", "waiting")
        warning = obj(
            "Event",
            "web.1",
            involvedObject={"kind": "Deployment", "namespace": "shop", "name": "web", "uid": "web"},
            type="Warning",
            reason="FailedCreate",
            message='pods "web-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1',
        )
        stub.change("ADDED", warning)
        assert "ResourceQuota small" in " ".join(seen.verdict("02.deploy", "fail").judged[0].why)


def test_machines_are_asked_in_turn(stub: Stub) -> None:
    machine = Machine(answer=ANSWER | {"sysctls": {"net.ipv4.ip_forward": "0"}})
    with watching(stub, file, machine=machine, pace=replace(HASTY, nodes=0.05)) as seen:
        seen.verdict("02.file", "fail")
        machine.answer = ANSWER | {"sysctls": {"net.ipv4.ip_forward": "1"}}
        seen.verdict("02.file", "pass")
        machine.answer = Unreachable("The machine is not running")
        seen.verdict("02.file", "error")


def test_a_lab_at_rest_is_looked_at_less_often_until_a_verdict_changes(stub: Stub) -> None:
    machine = Machine()
    with watching(stub, deploy, file, machine=machine, pace=replace(HASTY, nodes=0.02, nodes_at_rest=60.0, rest=0.3)) as seen:
        seen.verdict("02.deploy", "fail")
        asked, ends = -1, time.monotonic() + 60
        while asked != len(machine.ran):
            assert time.monotonic() < ends, "it never rests"
            asked = len(machine.ran)
            time.sleep(0.5)
        stub.change("ADDED", web())
        seen.verdict("02.deploy", "pass")
        while len(machine.ran) == asked:
            assert time.monotonic() < ends, "it is never looked at again"
            time.sleep(0.01)


def test_an_experiment_is_made_again_and_never_one_that_disturbs(stub: Stub) -> None:
    answers, asked = ["old"], list[str]()

    @check("02.route", reads=["Ingress"], probes=["02.http"])
    def route(cluster: Any, probes: Any) -> None:
        assert probes["02.http"] == "new"

    @check("02.heal", probes=["02.kill"])
    def heal(probes: Any) -> None:
        assert probes["02.kill"]

    @probe("02.http")
    def http(lab: Any) -> str:
        asked.append("http")
        return answers[0]

    @probe("02.kill", effect="disturb", objects=["Deployment/shop/web"])
    def kill(lab: Any) -> str:
        asked.append("kill")
        return "killed"

    with watching(stub, route, heal, http, kill) as seen:
        first = seen.verdict("02.route", "fail")
        assert "only `lab check` makes it" in first.judged[1].message
        answers[0] = "new"
        stub.change("ADDED", obj("Ingress", "web"))
        seen.verdict("02.route", "pass")
        assert set(asked) == {"http"}
        assert len(asked) < 6


def test_last_lines_of_a_pod_are_read_when_it_crashes(stub: Stub) -> None:
    @check("02.log", reads=["Pod"])
    def log(cluster: Any) -> None:
        pods = cluster.list("Pod")
        assert pods
        assert "no colour" not in cluster.log_of(pods[0])

    stub.logs["web-1"] = "starting\nno colour\n"
    with watching(stub, log) as seen:
        seen.verdict("02.log", "fail")
        crashing = pod("web-1", ready=False, state=waiting("CrashLoopBackOff"))
        crashing["status"]["containerStatuses"][0] |= {"ready": False, "lastState": {"terminated": {"exitCode": 1}}, "restartCount": 2}
        stub.change("ADDED", crashing)
        seen.until(lambda update: bool(update.evidence.cluster.logs))
        assert seen.updates[-1].evidence.cluster.logs[0].lines == ["starting", "no colour"]


def test_a_secret_that_comes_later_is_taken_out_of_what_was_there(stub: Stub) -> None:
    stub.add(obj("ConfigMap", "notes", data={"note": "it is kolibri-42 of course"}))
    with watching(stub, deploy) as seen:
        first = seen.until(lambda update: True)
        assert b"kolibri-42" in repr(first.evidence).encode()
        stub.change("ADDED", obj("Secret", "door", data={"code": "a29saWJyaS00Mg=="}))
        seen.until(lambda update: any(one["metadata"]["name"] == "door" for one in update.evidence.cluster.kinds["Secret"].items))
        last = seen.until(lambda update: "kolibri" not in repr(update.evidence))
        assert [one["metadata"]["name"] for one in last.evidence.cluster.kinds["ConfigMap"].items] == ["notes"]


# What an API does ------------------------------------------------------------------------------------------------------------------


def test_a_version_that_is_too_old_is_cured_by_listing_anew(stub: Stub) -> None:
    with watching(stub, deploy) as seen:
        seen.verdict("02.deploy", "fail")
        stub.lists["/apis/apps/v1/deployments"] = [web()]  # nobody was told
        stub.tell("/api/v1/pods", {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}})
        seen.verdict("02.deploy", "pass")


def test_bookmarks_move_on_and_change_nothing(stub: Stub) -> None:
    with watching(stub, deploy) as seen:
        seen.verdict("02.deploy", "fail")
        stub.tell("/api/v1/pods", {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "500"}}})
        stub.change("ADDED", web())
        seen.verdict("02.deploy", "pass")
        assert len(seen.updates) == 2


def test_an_api_that_stops_and_comes_back(stub: Stub) -> None:
    stub.add(web())
    with watching(stub, deploy) as seen:
        seen.verdict("02.deploy", "pass")
        stub.odd["/version"] = hang_up
        stub.hang_up_all()
        assert not seen.verdict("02.deploy", "fail").evidence.cluster.reachable
        stub.lists["/apis/apps/v1/deployments"] = [web(available=2)]
        stub.streaming = True
        del stub.odd["/version"]
        seen.verdict("02.deploy", "waiting")
        stub.change("MODIFIED", web())
        seen.verdict("02.deploy", "pass")


@pytest.mark.parametrize("always", [refuse(410, "Expired"), refuse(500, "InternalError"), hang_up])
def test_an_api_that_lets_nobody_watch_is_asked_ever_less(stub: Stub, always: Any) -> None:
    stub.streaming = False
    stub.more.set()  # watches end at once
    stub.odd["/apis/apps/v1/deployments"] = lambda handler: (
        always(handler) if "watch" in handler.path else handler.list("/apis/apps/v1/deployments", {})
    )
    pace = replace(HASTY, shortest_pause=0.05, longest_pause=10)
    with watching(stub, deploy, pace=pace) as seen:
        seen.verdict("02.deploy", "fail")
        began = time.monotonic()
        seen.until(lambda update: len(seen.updates) == 4)
        assert time.monotonic() - began > 0.05 / 2 * (1 + 2 + 4)


def test_a_list_that_was_refused_is_tried_again(stub: Stub) -> None:
    stub.odd["/apis/apps/v1/deployments"] = refuse(403, "Forbidden")
    stub.add(web())
    with watching(stub, deploy) as seen:
        seen.verdict("02.deploy", "error")
        del stub.odd["/apis/apps/v1/deployments"]
        seen.verdict("02.deploy", "pass")


def test_a_silent_api_is_noticed_when_machines_are_asked(stub: Stub) -> None:
    stub.add(web())
    with watching(stub, deploy, pace=replace(HASTY, nodes=0.1)) as seen:
        seen.verdict("02.deploy", "pass")
        stub.odd["/version"] = hang_up  # the streams stay open and say nothing
        seen.verdict("02.deploy", "fail")
        del stub.odd["/version"]
        seen.verdict("02.deploy", "pass")


# How it ends -----------------------------------------------------------------------------------------------------------------------


def test_it_ends_when_the_lab_is_another_one(stub: Stub) -> None:
    why = [""]
    with watching(stub, deploy, lasting=lambda: why[0]) as seen:
        seen.verdict("02.deploy", "fail")
        why[0] = "Lab 02 was stopped."
        seen.end()
        assert seen.watch.ended == "Lab 02 was stopped."
        for thread in threading.enumerate():
            if thread.name.startswith("watch-"):
                thread.join(5)
                assert not thread.is_alive(), "a stream that nobody reads goes on"


def test_it_ends_when_the_lab_is_gone_while_it_is_collected(stub: Stub) -> None:
    found = target(stub, None, deploy)
    there = [True]

    def aim() -> Any:
        if there[0]:
            return found
        raise Unreachable("Lab 02 is stopped", why="There is nothing to look at.")

    with watching(stub, deploy, aim=aim) as seen:
        seen.verdict("02.deploy", "fail")
        there[0] = False
        seen.watch.check_now()
        seen.end()
        assert seen.watch.ended == "Lab 02 is stopped. There is nothing to look at."


def test_asking_for_a_full_check_says_so_and_collects_anew(stub: Stub) -> None:
    with watching(stub, deploy) as seen:
        seen.verdict("02.deploy", "fail")
        stub.lists["/apis/apps/v1/deployments"] = [web()]
        seen.watch.check_now()
        assert seen.until(lambda update: update.checking)
        assert verdicts(seen.until(lambda update: update.full)) == {"02.deploy": "pass"}


def test_what_waits_for_too_long_has_failed_until_it_changes(stub: Stub) -> None:
    from tests.unit.grade.builders import lab, task

    stub.add(web(available=2))
    found = target(stub, None, deploy, of=lab(task("02.deploy", deadline_s=1)))
    with watching(stub, deploy, aim=lambda: found) as seen:
        seen.verdict("02.deploy", "waiting")
        assert "still converging after 1 s" in seen.verdict("02.deploy", "fail").judged[0].message
        stub.change("MODIFIED", web())
        seen.verdict("02.deploy", "pass")
