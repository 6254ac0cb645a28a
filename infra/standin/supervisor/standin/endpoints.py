"""What a server answers to nodes that join: K3s's own endpoints on the API server's port (pkg/server/handlers/router.go).

The API server hands these requests on (modules/kube/supervisor.go) and says whose client certificate it saw.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import TypeVar

from . import bootstrap_tokens, certs, journal, layout, node_password, server_tokens
from .api import TROUBLE, Api, ApiError
from .certs import SERVER, Wanted
from .config import Config

PREFIX = "/v1-k3s/"
NODES_GROUP, NODE_USER = "system:nodes", "system:node:"
LETS_IN = {server_tokens.AGENT_ROLE, NODES_GROUP, bootstrap_tokens.GROUP}
BODY_LIMIT = 64 * 1024

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """An answer of HTTP."""

    status: int
    body: bytes
    kind: str = "text/plain"


@dataclass(frozen=True)
class Asked:
    """A request; header names in small letters."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True)
class Identity:
    """Who asks, and as what."""

    user: str
    groups: frozenset[str]


class Declined(Exception):
    """The answer to a request that is not granted."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Endpoints:
    """Answers requests. `ready` is set when nodes may register."""

    config: Config
    ready: threading.Event
    api: Callable[[], Api] = Api

    def answer(self, asked: Asked) -> Answer:
        """The answer to one request; what is declined goes to the journal, as in K3s."""
        try:
            return self._answer(asked)
        except Declined as declined:
            if declined.status != 503:
                whom = asked.headers.get("x-forwarded-for", "a node")
                journal.error(f"Sending HTTP/1.1 {declined.status} response to {whom}: {declined}")
            reason = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(declined), "code": declined.status}
            return Answer(declined.status, json.dumps(reason).encode(), "application/json")

    def _answer(self, asked: Asked) -> Answer:
        if asked.path == "/ping":
            return Answer(200, b"pong")
        if asked.path == "/cacerts":
            return Answer(200, (layout.TLS / "server-ca.crt").read_bytes())
        who = self._who(asked)
        if not who.groups & LETS_IN:
            raise Declined(403, "forbidden")
        makers: dict[str, Callable[[Asked, Identity], Answer]] = {
            "config": lambda _, __: self._settings(),
            "readyz": lambda _, __: self._ready(),
            "apiservers": lambda _, __: _json([f"{self.config.node_ip}:6443"]),
            "client-ca.crt": lambda _, __: Answer(200, (layout.TLS / "client-ca.crt").read_bytes()),
            "server-ca.crt": lambda _, __: Answer(200, (layout.TLS / "server-ca.crt").read_bytes()),
            "serving-kubelet.crt": self._serving_kubelet,
            "client-kubelet.crt": self._client_kubelet,
            "client-kube-proxy.crt": lambda asked, _: _sign(asked, _client("system:kube-proxy")),
            "client-k3s-controller.crt": lambda asked, _: _sign(asked, _client("system:k3s-controller")),
        }
        maker = makers.get(asked.path.removeprefix(PREFIX))
        if maker is None:
            raise Declined(404, "404 page not found")
        return maker(asked, who)

    def _who(self, asked: Asked) -> Identity:
        if user := asked.headers.get("x-remote-user"):
            return Identity(user, frozenset(asked.headers.get("x-remote-group", "").split(",")))
        kind, _, credentials = asked.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            user, password = _basic(credentials)
            if role := server_tokens.role(user, password):
                return Identity(user, frozenset({role}))
        if kind == "Bearer" and (groups := self._bootstrap_groups(credentials)):
            return Identity("system:bootstrap", groups)
        raise Declined(401, "not authorized")

    def _bootstrap_groups(self, text: str) -> frozenset[str]:
        token_id, _, secret = text.partition(".")
        if not (token_id.isalnum() and token_id.isascii()):
            return frozenset()
        try:
            token = bootstrap_tokens.from_secret(self._ask(lambda api: api.get(bootstrap_tokens.path_of(token_id))))
        except (ApiError, ValueError):
            return frozenset()
        if not token.lets_in(secret, datetime.datetime.now(datetime.UTC)):
            return frozenset()
        return frozenset({bootstrap_tokens.GROUP, *token.groups})

    def _settings(self) -> Answer:
        """What an agent needs to know of the cluster; names as in K3s's own answer (pkg/daemons/config/types.go), ranges written out."""
        config = self.config
        return _json({
            "ClusterDNS": config.cluster_dns,
            "ClusterDomain": config.one("cluster-domain"),
            "ClusterIPRange": config.one("cluster-cidr"),
            "ServiceIPRange": config.one("service-cidr"),
            "Disables": dict.fromkeys(sorted(config.disabled), True),
        })  # fmt: skip

    def _ready(self) -> Answer:
        if not self.ready.is_set():
            raise Declined(503, "runtime core not ready")
        return Answer(200, b"ok")

    def _serving_kubelet(self, asked: Asked, who: Identity) -> Answer:
        name = self._node(asked, who)
        addresses = [text for text in asked.headers.get("k3s-node-ip", "").split(",") if text]
        for text in addresses:
            try:
                ip_address(text)
            except ValueError:
                raise Declined(400, f"invalid node IP address {text[:60]}") from None
        return _sign(asked, Wanted(layout.TLS, "server", name, usage=SERVER, sans=[name, "localhost", "127.0.0.1", *addresses]))

    def _client_kubelet(self, asked: Asked, who: Identity) -> Answer:
        return _sign(asked, _client(f"{NODE_USER}{self._node(asked, who)}", NODES_GROUP))

    def _node(self, asked: Asked, who: Identity) -> str:
        """The name of the node that asks, once its password is right (pkg/nodepassword/validate.go)."""
        name, password = asked.headers.get("k3s-node-name", "").lower(), asked.headers.get("k3s-node-password", "")
        for value, what in ((name, "name"), (password, "password")):
            if not value:
                raise Declined(400, f"node {what} not set")
        if not all(part.isalnum() and part.isascii() for part in name.replace("-", ".").split(".")):
            raise Declined(400, f"node name {name[:100]!r} is not one")
        if who.user.startswith(NODE_USER):
            self._must_exist(name, who.user.removeprefix(NODE_USER))
        try:
            self._ask(lambda api: node_password.ensure(api, name, password))
        except node_password.Rejected as rejected:
            raise Declined(403, str(rejected)) from None
        except ApiError as error:
            raise Declined(503, str(error)) from None
        return name

    def _must_exist(self, name: str, certificate_name: str) -> None:
        """A client certificate of a node counts for that node, and only as long as it is part of the cluster."""
        if name != certificate_name:
            raise Declined(400, "header node name does not match auth node name")
        try:
            self._ask(lambda api: api.get(f"/api/v1/nodes/{name}"))
        except ApiError as error:
            raise Declined(401, f"unable to verify node identity: {error}") from None

    def _ask(self, question: Callable[[Api], T]) -> T:
        try:
            return question(self.api())
        except ApiError:
            raise
        except TROUBLE as error:
            raise Declined(503, f"the API server is not ready: {error}") from None


def serve(endpoints: Endpoints) -> None:
    """Answer on the socket, in threads, as long as the process lives. Only root reaches it."""
    layout.SUPERVISOR_SOCKET.parent.mkdir(parents=True, exist_ok=True)
    layout.SUPERVISOR_SOCKET.unlink(missing_ok=True)

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def _do(self) -> None:
            length = self.headers.get("Content-Length") or "0"
            if not length.isdigit() or int(length) > BODY_LIMIT:
                self._send(Answer(413, b"too large"))
                return
            names = {name.lower() for name in self.headers}
            headers = {name: ",".join(self.headers.get_all(name) or ()) for name in names}
            self._send(endpoints.answer(Asked(self.command, self.path.partition("?")[0], headers, self.rfile.read(int(length)))))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # what is declined is logged with its reason
            pass

    class Listener(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    listener = Listener(str(layout.SUPERVISOR_SOCKET), Handler)
    threading.Thread(target=listener.serve_forever, name="endpoints", daemon=True).start()


def _sign(asked: Asked, wanted: Wanted) -> Answer:
    """The certificate for the key of the request; what the request says of its owner does not count."""
    if asked.method != "POST":
        raise Declined(405, "a signing request is needed")
    try:
        public = certs.requested_key(asked.body)
    except ValueError as error:
        raise Declined(400, str(error)) from None
    return Answer(200, certs.issue(wanted, public))


def _client(name: str, *groups: str) -> Wanted:
    return Wanted(layout.TLS, "client", name, groups)


def _basic(credentials: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), "application/json")
