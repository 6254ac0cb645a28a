"""What an experiment may do in the live lab, and its limits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from courselab.grade.authors import CheckerMistake
from courselab.grade.kube import Access, Api
from courselab.grade.toolbox import Lab, OutOfTime
from tests.unit.grade.api_stub import Stub, serving
from tests.unit.grade.builders import pod
from tests.unit.grade.test_collect import Machine


class Web(BaseHTTPRequestHandler):
    """Answers with what it was asked for."""

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Asked", self.path)
        self.end_headers()
        self.wfile.write(f"host={self.headers['Host']}".encode() + (b"x" * 100_000 if self.path == "/large" else b""))


@pytest.fixture
def web() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def lab() -> Lab:
    return Lab(None, {"server": Machine(address="127.0.0.1")}, deadline_s=5)


def test_a_request_goes_to_the_machine_whatever_its_host_header(lab: Lab, web: int) -> None:
    answer = lab.http(f"http://server:{web}/a?b=c", host="shop.example")
    assert (answer["status"], answer["body"], answer["error"]) == (200, "host=shop.example", "")
    assert answer["headers"]["x-asked"] == "/a?b=c"
    assert lab.http(f"http://127.0.0.1:{web}")["body"] == f"host=127.0.0.1:{web}"


def test_a_redirect_is_an_answer_and_is_not_followed(lab: Lab, web: int) -> None:
    answer = lab.http(f"http://server:{web}/redirect")
    assert (answer["status"], answer["headers"]["location"]) == (302, "http://example.invalid/")


def test_a_long_body_is_cut(lab: Lab, web: int) -> None:
    assert len(lab.http(f"http://server:{web}/large")["body"]) == 65536


def test_no_answer_is_told(lab: Lab, web: int) -> None:
    assert lab.http("http://server:1/")["error"] == "connection refused"
    assert lab.http("http://server:1/")["status"] == 0
    assert "error" in lab.http(f"https://server:{web}/")


def test_names_are_never_looked_up(lab: Lab) -> None:
    with pytest.raises(CheckerMistake, match="neither a machine nor an IP address"):
        lab.http("http://example.com/")
    with pytest.raises(CheckerMistake, match="not an http or https URL"):
        lab.http("ftp://server/")


def test_objects(web: int) -> None:
    with serving(Stub()) as stub, contextlib.closing(Api(Access.from_kubeconfig(stub.kubeconfig))) as api:
        stub.add(pod("one"))
        live = Lab(api, {}, deadline_s=5)
        (found,) = live.list("Pod", namespace=None)
        assert (found["kind"], found["metadata"]["name"]) == ("Pod", "one")
        assert live.get("Pod", "none", namespace="shop") is None
        with pytest.raises(CheckerMistake, match="add it to"):
            live.get("Nonsense", "x")


def test_wait_sees_what_is_there_and_what_comes() -> None:
    with serving(Stub()) as stub, contextlib.closing(Api(Access.from_kubeconfig(stub.kubeconfig))) as api:
        stub.add(pod("one"))
        live = Lab(api, {}, deadline_s=5)
        assert live.wait("Pod", until=lambda pods: len(pods) == 1, timeout_s=1)
        stub.events = [{"type": "ADDED", "object": pod("two")}, {"type": "ADDED", "object": pod("other", labels={"app": "x"})}]
        stub.more.set()
        both = live.wait("Pod", labels={"app": "web"}, until=lambda pods: len(pods) == 2, timeout_s=2)
        assert both is not None
        assert [one["metadata"]["name"] for one in both] == ["one", "two"]
        assert live.wait("Pod", until=lambda pods: len(pods) == 9, timeout_s=0.1) is None


def test_time_runs_out_and_cleaning_up_still_works() -> None:
    live = Lab(None, {"server": Machine()}, deadline_s=0)
    done: list[int] = []
    live.on_exit(lambda: done.append(live.run("server", ["/bin/true"]).code))
    with pytest.raises(OutOfTime):
        live.run("server", ["/bin/true"])
    assert live.clean_up() == []
    assert done == [0]


def test_stopped_by_the_user(lab: Lab) -> None:
    lab.stop()
    with pytest.raises(OutOfTime):
        lab.sleep(1)
    with pytest.raises(OutOfTime):
        lab.run("server", ["/bin/true"])
