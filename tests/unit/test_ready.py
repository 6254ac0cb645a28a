"""Waiting for a cluster: what ends it early, and whether a K3s that runs does anything when its parts are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from courselab.errors import LabError, Unreachable
from courselab.k3s.api import Api
from courselab.k3s.ready import COMPONENTS, ready_node, wait_for, wait_until_serving


class Parts:
    """Stands for an API in front of parts that answer after so many questions."""

    def __init__(self, **silent: int) -> None:
        self.silent = silent
        self.asked: list[str] = []

    def text(self, path: str, *, timeout_s: float) -> str:
        self.asked.append(path)
        part = "kubelet" if path.endswith("/proxy/healthz") else "datastore" if "/nodes/" in path else "k3s"
        if self.silent.get(part, 0):
            self.silent[part] -= 1
            raise Unreachable("The cluster's API does not answer", why="timed out")
        return "ok"


def wait(parts: Parts, *nodes: str, timeout_s: float = 5.0) -> None:
    wait_until_serving(cast(Api, cast(Any, parts)), nodes, timeout_s=timeout_s)


def test_all_parts_are_asked() -> None:
    parts = Parts()
    wait(parts, "server", "edge1")
    assert parts.asked == [
        "/ping", "/api/v1/nodes/server", "/api/v1/nodes/server/proxy/healthz", "/api/v1/nodes/edge1/proxy/healthz",
    ]  # fmt: skip


def test_a_busy_part_is_asked_again() -> None:
    wait(Parts(datastore=2), "server")


@pytest.mark.parametrize(("part", "name"), [("k3s", "K3s"), ("datastore", "Its datastore"), ("kubelet", "The kubelet of server")])
def test_a_part_that_hangs_is_named(part: str, name: str) -> None:
    with pytest.raises(LabError, match=f"{name} does not answer") as told:
        wait(Parts(**{part: 99}), "server", timeout_s=0.1)
    assert told.value.why == "timed out"


class Nothing:
    """Stands for a cluster in which nothing happens, and for the clock: watching takes as long as it may."""

    def __init__(self) -> None:
        self.now = 0.0

    def watch(self, path: str, *, timeout_s: float, **selectors: str) -> Iterator[Any]:
        self.now += timeout_s
        yield from ()


def test_waiting_ends_as_soon_as_something_else_makes_it_hopeless() -> None:
    nothing, looks = Nothing(), []

    def meanwhile() -> None:
        looks.append(nothing.now)
        if len(looks) == 3:
            raise LabError("The disk is full")

    with pytest.raises(LabError, match="The disk is full"):
        wait_for(cast(Api, cast(Any, nothing)), [ready_node("server")], timeout_s=180, meanwhile=meanwhile, clock=lambda: nothing.now)
    assert looks == [10, 20, 30]


def test_what_does_not_get_ready_is_named_once_its_time_is_over() -> None:
    nothing = Nothing()
    with pytest.raises(LabError, match="Node server did not get ready in time"):
        wait_for(cast(Api, cast(Any, nothing)), [ready_node("server")], timeout_s=35, clock=lambda: nothing.now)
    assert nothing.now == 35


@pytest.mark.parametrize(("pods", "ready"), [(None, False), (0, False), (1, True)])
def test_a_component_is_ready_with_a_pod(pods: int | None, ready: bool) -> None:
    """CoreDNS may have all its pods unavailable while it is updated, so that its Deployment is Available before it has one."""
    status = {"conditions": [{"type": "Available", "status": "True"}], **({} if pods is None else {"availableReplicas": pods})}
    [coredns] = COMPONENTS["coredns"]
    assert coredns.holds({"status": status}) is ready
