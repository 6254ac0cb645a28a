"""Talking to a Kubernetes API: plain dicts over kept-alive connections, each call with a deadline, each answer bounded.

The only place of the grader that speaks HTTP to a cluster. It uses the standard library alone, because importing the official client costs half
a second of CPU, more than a whole `lab check` may take; the client's models stay available (courselab.grade.typed).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import queue
import socket
import ssl
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from courselab.errors import LabError
from courselab.grade.dig import Obj, number, rows, text

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
EVENT_LIMIT_BYTES = 4 * 1024 * 1024
# A stream may be silent for minutes: the kernel asks whether the other end is still there, so that one which vanished is noticed in half
# a minute. Windows and macOS name some of these otherwise; there its own, longer times hold.
_STILL_THERE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_HUNG_UP = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


class ApiDown(LabError):
    """The Kubernetes API cannot be reached, or does not answer in time."""


class ApiRefused(LabError):
    """The Kubernetes API answered with an error; `status` is the HTTP status, `reason` the API's own word (NotFound, Forbidden)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"Kubernetes refused with {status} {reason}".rstrip(), why=message[:500])
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Access:
    """How to reach one cluster, from a kubeconfig."""

    host: str
    port: int
    context: ssl.SSLContext | None  # None: plain HTTP
    server_name: str
    token: str
    namespace: str

    @classmethod
    def from_kubeconfig(cls, data: bytes) -> Access:
        """Read the current context of a kubeconfig. Raises LabError if it has no server or no certificate or token to show."""
        import yaml

        from courselab.safe_yaml import LOADER

        try:
            config = yaml.load(data, Loader=LOADER)  # noqa: S506 a safe loader
            context = _named(config, "contexts", text(config, "current-context"), "context")
            cluster = _named(config, "clusters", text(context, "cluster"), "cluster")
            user = _named(config, "users", text(context, "user"), "user")
            server = urllib.parse.urlsplit(text(cluster, "server"))
            if server.scheme not in ("http", "https") or not server.hostname:
                raise ValueError(f"its server is {text(cluster, 'server')!r}")
            secure = server.scheme == "https"
            return cls(
                host=server.hostname,
                port=server.port or (443 if secure else 80),
                context=_tls(cluster, user) if secure else None,
                server_name=text(cluster, "tls-server-name") or server.hostname,
                token=text(user, "token"),
                namespace=text(context, "namespace") or "default",
            )
        except (yaml.YAMLError, ValueError, OSError) as unusable:  # ssl.SSLError is an OSError
            why = str(unusable).splitlines()[0][:300]
            raise LabError("The lab's kubeconfig cannot be used", why=why, fix="`lab reset` makes the lab anew.") from unusable


def _named(config: Any, lists: str, name: str, what: str) -> Obj:
    for entry in rows(config, lists):
        if entry.get("name") == name and isinstance(entry.get(what), dict):
            return cast("Obj", entry[what])
    raise ValueError(f"it has no {what} {name!r}")


def _tls(cluster: Obj, user: Obj) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if cluster.get("insecure-skip-tls-verify"):
        raise ValueError("it does not check who answers (insecure-skip-tls-verify)")
    context.load_verify_locations(cadata=base64.b64decode(text(cluster, "certificate-authority-data"), validate=True).decode())
    if certificate := text(user, "client-certificate-data"):
        with tempfile.TemporaryDirectory() as private:  # the ssl module takes a key from a file only
            pem = Path(private) / "client.pem"
            pem.touch(mode=0o600)
            pem.write_bytes(b"\n".join(base64.b64decode(part) for part in (certificate, text(user, "client-key-data"))))
            context.load_cert_chain(pem)
    return context


@dataclass(frozen=True)
class Page:
    """A list of objects, or the first so many of it."""

    items: list[Obj]
    version: str  # resourceVersion: from here a watch continues
    more: int  # at least how many there are that were left out


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    body: bytes | None
    headers: dict[str, str]


class Api:
    """One cluster's API. May be used from several threads; each waits for its own answer."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._idle: queue.SimpleQueue[http.client.HTTPConnection] = queue.SimpleQueue()
        self._streams: set[socket.socket] = set()
        self._closed = False

    def version(self) -> str:
        """The server's version: "v1.36.3+k3s1". Raises ApiDown, ApiRefused."""
        return text(self.get("/version"), "gitVersion")

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, timeout_s: float = READ_TIMEOUT_S) -> Obj:
        """One JSON answer. Raises ApiDown, ApiRefused."""
        return _json(self.request("GET", path, query, timeout_s=timeout_s))

    def list(self, path: str, *, limit: int, page: int = 500, selector: str = "", timeout_s: float = READ_TIMEOUT_S) -> Page:
        """A list, page by page, at most `limit` objects. Raises ApiDown, ApiRefused."""
        items: list[Obj] = []
        query: dict[str, Any] = {"limit": page}
        if selector:
            query["labelSelector"] = selector
        while True:
            answer = self.get(path, query, timeout_s=timeout_s)
            items += rows(answer, "items")
            follow = text(answer, "metadata", "continue")
            if not follow or len(items) >= limit:
                left = number(answer, "metadata", "remainingItemCount") + max(0, len(items) - limit)
                return Page(items[:limit], text(answer, "metadata", "resourceVersion"), max(left, 1) if follow else left)
            query["continue"] = follow

    def send(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None, *, content_type: str = "application/json"
    ) -> Obj:
        """Change something: POST, PUT, PATCH, DELETE with a JSON body. Raises ApiDown, ApiRefused."""
        data = json.dumps(body).encode() if body is not None else None
        return _json(self.request(method, path, query, body=data, content_type=content_type))

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout_s: float = READ_TIMEOUT_S,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> bytes:
        """One request; the answer's body. Raises ApiDown, ApiRefused."""
        prepared = self._prepare(method, path, query, body, content_type)
        connection, fresh = self._connection(timeout_s)
        try:
            try:
                response = self._ask(connection, prepared)
            except _HUNG_UP:
                connection.close()
                if fresh or method != "GET":
                    raise ApiDown("The Kubernetes API hung up", why="The connection was closed before an answer came.") from None
                connection = self._new_connection(timeout_s)  # a kept one may have been closed meanwhile: once more on a new one
                response = self._ask(connection, prepared)
            data = self._read(response, limit_bytes)
        except _HUNG_UP as down:
            connection.close()
            raise ApiDown("The Kubernetes API hung up", why=_reason(down)) from down
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)
        if self._closed:  # while this request was under way
            self._close_idle()
        if response.status >= 400:
            raise _refused(response.status, data)
        return data

    def stream(self, path: str, query: Mapping[str, Any], *, idle_s: float, stop: threading.Event) -> Iterator[Obj]:
        """The events of a watch until the server ends it or `stop` is set.

        Raises ApiRefused, and ApiDown, also after `idle_s` seconds of silence.
        """
        connection = self._new_connection(idle_s)
        line = connection.sock  # the connection lets go of it before the stream ends
        self._streams.add(line)
        try:
            _watch_over(line)
            response = self._ask(connection, self._prepare("GET", path, query))
            if response.status >= 400:
                raise _refused(response.status, response.read(EVENT_LIMIT_BYTES))
            while not stop.is_set():
                event = response.readline(EVENT_LIMIT_BYTES)
                if not event:
                    return
                yield _json(event)
        except (OSError, http.client.HTTPException, ValueError) as broken:
            raise ApiDown("The Kubernetes API stopped telling of changes", why=_reason(broken)) from broken
        finally:
            self._streams.discard(line)
            connection.close()

    def headers(self) -> dict[str, str]:
        """What every request carries."""
        headers = {"Accept": "application/json", "User-Agent": "k3s-course-lab"}
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._access.token}"
        return headers

    @property
    def access(self) -> Access:
        """How this cluster is reached."""
        return self._access

    def open(self, timeout_s: float) -> http.client.HTTPConnection:
        """A new connection to the API, for a protocol of one's own. Raises ApiDown."""
        return self._new_connection(timeout_s)

    def close(self) -> None:
        """Close kept connections, and end streams that others read: to them it looks as if the server had hung up."""
        for line in list(self._streams):
            with contextlib.suppress(OSError):
                # Not the TLS socket's own method, which takes it apart while another thread reads from it.
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _connection(self, timeout_s: float) -> tuple[http.client.HTTPConnection, bool]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            return self._new_connection(timeout_s), True
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        return connection, False

    def _new_connection(self, timeout_s: float) -> http.client.HTTPConnection:
        access = self._access
        if access.context is None:
            connection = http.client.HTTPConnection(access.host, access.port, timeout=CONNECT_TIMEOUT_S)
        else:
            connection = _NamedHTTPSConnection(access)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as unknown:
            connection.close()
            raise ApiDown("Something else than this lab's cluster answers", why=f"Its certificate is not the lab's: {unknown}") from unknown
        except OSError as down:
            connection.close()
            raise ApiDown(f"The Kubernetes API at {access.host}:{access.port} does not answer", why=_reason(down)) from down
        connection.sock.settimeout(timeout_s)
        return connection

    def _prepare(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: bytes | None = None, content_type: str = ""
    ) -> _Request:
        headers = self.headers()
        if body is not None:
            headers["Content-Type"] = content_type
        return _Request(method, f"{path}?{urllib.parse.urlencode(query)}" if query else path, body, headers)

    @staticmethod
    def _ask(connection: http.client.HTTPConnection, request: _Request) -> http.client.HTTPResponse:
        try:
            connection.request(request.method, request.url, body=request.body, headers=request.headers)
            return connection.getresponse()
        except _HUNG_UP:
            raise
        except (OSError, http.client.HTTPException) as down:
            raise ApiDown("The Kubernetes API does not answer", why=_reason(down)) from down

    @staticmethod
    def _read(response: http.client.HTTPResponse, limit_bytes: int) -> bytes:
        try:
            data = response.read(limit_bytes + 1)
        except (OSError, http.client.HTTPException) as down:
            raise ApiDown("The Kubernetes API stopped in the middle of an answer", why=_reason(down)) from down
        if len(data) > limit_bytes:
            raise ApiDown("The Kubernetes API's answer is too large", why=f"It has more than {limit_bytes >> 20} MiB.")
        return data


class _NamedHTTPSConnection(http.client.HTTPSConnection):
    """An HTTPS connection that checks the certificate against the name the kubeconfig gives, not the address it connects to."""

    def __init__(self, access: Access) -> None:
        super().__init__(access.host, access.port, timeout=CONNECT_TIMEOUT_S, context=access.context)
        self._access = access

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        assert self._access.context is not None
        self.sock = self._access.context.wrap_socket(self.sock, server_hostname=self._access.server_name)


def _watch_over(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _STILL_THERE.items():
        if hasattr(socket, name):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _reason(error: Exception) -> str:
    """What went wrong, in words: "Connection refused" and not "[Errno 111] Connection refused"."""
    if isinstance(error, TimeoutError):
        return "No answer came in time."
    said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return f"{said.rstrip('.')}."


def _json(data: bytes) -> Obj:
    import msgspec

    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise ApiDown("What answers is not a Kubernetes API", why=str(broken)) from broken


def _refused(status: int, data: bytes) -> ApiRefused:
    try:
        answer: Any = json.loads(data)
    except ValueError:
        answer = {}
    return ApiRefused(status, text(answer, "reason"), text(answer, "message") or data[:200].decode("utf-8", "replace"))
