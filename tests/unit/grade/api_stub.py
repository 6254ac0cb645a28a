"""A Kubernetes API in a thread of the test: serves the objects it is given, and misbehaves as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from courselab.grade.kinds import KNOWN

Obj = dict[str, Any]
FIRST = 100  # the version of the first thing that is told


@dataclass
class Stub:
    """What the API serves, by path; `odd` answers before anything else does."""

    lists: dict[str, list[Obj]] = field(default_factory=dict)
    odd: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    events: list[Obj] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    port: int = 0
    streaming: bool = False  # watches stay open and tell what `change` says
    told: list[tuple[str, Obj]] = field(default_factory=list)  # path, event
    streams: int = 0  # how many watches are open
    news: threading.Condition = field(default_factory=threading.Condition)
    more: threading.Event = field(default_factory=threading.Event)

    def add(self, *objects: Obj) -> None:
        for obj in objects:
            self.lists.setdefault(KNOWN[obj["kind"]].path(), []).append(obj)

    def change(self, type_: str, obj: Obj) -> None:
        """Change what is served, and tell the watches."""
        path = KNOWN[obj["kind"]].path()
        version = str(FIRST + len(self.told))
        changed = obj | {"metadata": obj["metadata"] | {"resourceVersion": version}}
        with self.news:
            self.lists[path] = [one for one in self.lists.get(path, []) if one["metadata"]["uid"] != obj["metadata"]["uid"]]
            if type_ != "DELETED":
                self.lists[path].append(changed)
            self.told.append((path, {"type": type_, "object": changed}))
            self.news.notify_all()

    def tell(self, path: str, event: Obj) -> None:
        """Tell the watches of one list something."""
        with self.news:
            self.told.append((path, event))
            self.news.notify_all()

    def hang_up_all(self) -> None:
        """End all watches, as a server that stops does."""
        with self.news:
            self.streaming = False
            self.news.notify_all()

    @property
    def kubeconfig(self) -> bytes:
        return json.dumps(
            {
                "current-context": "lab",
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
                "clusters": [{"name": "lab", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                "users": [{"name": "admin", "user": {"token": "stub-token"}}],
            }
        ).encode()


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None: ...

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            stub.asked.append(self.path)
            if parts.path in stub.odd:
                stub.odd[parts.path](self)
            elif parts.path == "/version":
                self.answer({"gitVersion": "v1.36.3+k3s1"})
            elif parts.path.endswith("/log"):
                self.send(200, stub.logs.get(parts.path.split("/")[-2], "").encode())
            elif "watch" in query:
                self.watch()
            elif any(kind.path() == parts.path for kind in KNOWN.values() if "cattle.io" not in kind.api) or parts.path in stub.lists:
                self.list(parts.path, query)
            else:
                self.answer({"kind": "Status", "reason": "NotFound", "message": "no such thing", "code": 404}, 404)

        def list(self, path: str, query: dict[str, list[str]]) -> None:
            with stub.news:  # else what is told between the two would be in neither the list nor the watch
                items, told = stub.lists.get(path, []), len(stub.told)
            limit, start = int(query.get("limit", ["500"])[0]), int(query.get("continue", ["0"])[0])
            left = len(items) - start - limit
            more = {"continue": str(start + limit), "remainingItemCount": left} if left > 0 else {}
            bare = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items[start : start + limit]]
            self.answer(
                {
                    "kind": "List",
                    "metadata": {"resourceVersion": str(FIRST - 1 + told) if told else "7", **more},
                    "items": bare,
                }
            )

        def watch(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            if stub.streaming:
                parts = urlsplit(self.path)
                self.stream(parts.path, int(parse_qs(parts.query)["resourceVersion"][0]))
                return
            stub.more.wait(5)
            for event in stub.events:
                data = json.dumps(event).encode() + b"\n"
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
            with suppress(OSError):
                self.wfile.write(b"0\r\n\r\n")

        def stream(self, path: str, version: int) -> None:
            place = max(0, version - FIRST + 1)
            with stub.news:
                stub.streams += 1
                stub.news.notify_all()
            try:
                while stub.streaming:
                    with stub.news:
                        stub.news.wait_for(lambda known=place: len(stub.told) > known or not stub.streaming, timeout=5)
                        events, place = stub.told[place:], len(stub.told)
                    for event in [event for where, event in events if where == path]:
                        data = json.dumps(event).encode() + b"\n"
                        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                        self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                pass
            finally:
                with stub.news:
                    stub.streams -= 1

        def answer(self, value: Any, status: int = 200) -> None:
            self.send(status, json.dumps(value).encode())

        def send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.more.set()
        stub.hang_up_all()
        server.shutdown()
        server.server_close()


def refuse(status: int, reason: str) -> Callable[[Any], None]:
    """An answer that refuses."""
    return lambda handler: handler.answer({"kind": "Status", "reason": reason, "message": f"{reason} by the stub"}, status)


def hang_up(handler: Any) -> None:
    """No answer at all."""
    handler.close_connection = True
    handler.connection.close()


def stall(seconds: float) -> Callable[[Any], None]:
    """An answer that does not come."""

    def wait(handler: Any) -> None:
        time.sleep(seconds)
        hang_up(handler)

    return wait
