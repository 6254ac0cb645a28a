"""Talking to an API that answers, refuses, hangs up, or is not one."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from courselab.errors import LabError
from courselab.grade.kube import Access, Api, ApiDown, ApiRefused
from tests.unit.grade.api_stub import Stub, hang_up, refuse, serving, stall
from tests.unit.grade.builders import pod


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as found:
        yield found


@pytest.fixture
def api(stub: Stub) -> Iterator[Api]:
    with contextlib.closing(Api(Access.from_kubeconfig(stub.kubeconfig))) as found:
        yield found


PODS = "/api/v1/pods"


def test_lists_come_page_by_page(stub: Stub, api: Api) -> None:
    stub.add(*(pod(f"web-{place}") for place in range(7)))
    page = api.list(PODS, limit=100, page=3)
    assert [one["metadata"]["name"] for one in page.items] == [f"web-{place}" for place in range(7)]
    assert (page.version, page.more) == ("7", 0)


def test_a_list_that_is_too_long_says_how_many_are_left(stub: Stub, api: Api) -> None:
    stub.add(*(pod(f"web-{place}") for place in range(9)))
    page = api.list(PODS, limit=4, page=2)
    assert len(page.items) == 4
    assert page.more == 5


def test_refusals_tell_status_and_reason(stub: Stub, api: Api) -> None:
    stub.odd[PODS] = refuse(403, "Forbidden")
    with pytest.raises(ApiRefused) as caught:
        api.get(PODS)
    assert (caught.value.status, caught.value.reason, caught.value.why) == (403, "Forbidden", "Forbidden by the stub")


@pytest.mark.parametrize(
    "odd", [hang_up, stall(3), lambda handler: handler.send(200, b"<html>hello</html>"), lambda handler: handler.send(200, b"[1]")]
)
def test_what_does_not_answer_properly_is_down(stub: Stub, api: Api, odd: Any) -> None:
    stub.odd[PODS] = odd
    with pytest.raises(ApiDown):
        api.get(PODS, timeout_s=0.3)


def test_an_answer_that_is_too_large_is_refused(stub: Stub, api: Api) -> None:
    stub.odd[PODS] = lambda handler: handler.send(200, b"x" * 5000)
    with pytest.raises(ApiDown, match="too large"):
        api.request("GET", PODS, limit_bytes=4000)


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(stub: Stub, api: Api) -> None:
    api.version()

    def once(handler: Any) -> None:
        del stub.odd["/version"]
        hang_up(handler)

    stub.odd["/version"] = once
    assert api.version() == "v1.36.3+k3s1"


def test_nobody_there() -> None:
    with pytest.raises(ApiDown, match="does not answer"):
        Api(Access.from_kubeconfig(Stub(port=1).kubeconfig)).version()


def test_a_watch_tells_events_until_it_ends(stub: Stub, api: Api) -> None:
    stub.events = [{"type": "ADDED", "object": {"n": 1}}, {"type": "DELETED", "object": {"n": 2}}]
    stub.more.set()
    events = api.stream(PODS, {"watch": "true"}, idle_s=2, stop=threading.Event())
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]


def test_a_watch_without_a_word_is_down(stub: Stub, api: Api) -> None:
    with pytest.raises(ApiDown):
        list(api.stream(PODS, {"watch": "true"}, idle_s=0.2, stop=threading.Event()))


def config(**changes: Any) -> bytes:
    cluster = {"server": "https://127.0.0.1:6443", **changes.get("cluster", {})}
    return json.dumps(
        {
            "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": changes.get("user", "admin")}}],
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": "x"}}],
        }
    ).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", ""),
        (b"[]", "no context ''"),
        (config(user="none"), "no user 'none'"),
        (config(cluster={"server": "ftp://x"}), "its server is 'ftp://x'"),
        (config(cluster={"insecure-skip-tls-verify": True}), "does not check who answers"),
        (config(cluster={"certificate-authority-data": "bm8="}), ""),
        (config(), ""),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(data: bytes, why: str) -> None:
    with pytest.raises(LabError, match="kubeconfig cannot be used") as caught:
        Access.from_kubeconfig(data)
    assert why in caught.value.why
