"""Joining a cluster: what an agent asks its server, and in which words it says what is wrong (pkg/clientaccess/token.go,
pkg/agent/run.go, pkg/agent/config/config.go).

K3s asks through a load balancer of its own on 127.0.0.1:6444; here the server is asked directly.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import certs, journal, layout, node_password, tokens
from .config import Config
from .errors import Refused
from .files import write
from .tokens import Token

TIMEOUT_S = 10.0
SOON_S = 0.15  # a server that is starting is asked again soon; K3s's pauses are only kept in what is said
VALIDATE_EVERY_S = 2.0
RETRIEVE_EVERY_S = 5.0
ANSWER_LIMIT = 256 * 1024
REJECTED = (
    f"Node password rejected, duplicate hostname or contents of '{layout.NODE_PASSWORD}' may not match server node-passwd entry, "
    "try enabling a unique node name with the --with-node-id flag"
)
UNTRUSTED = (
    "Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. "
    "Use the full token from the server's node-token file to enable Cluster CA validation."
)
NO_CA = ssl.create_default_context()
NO_CA.check_hostname, NO_CA.verify_mode = False, ssl.CERT_NONE  # only for what the token's hash is then compared with


@dataclass(frozen=True)
class Settings:
    """What a server says of its cluster; `disabled` are packaged components that it does not have."""

    cluster_dns: str
    cluster_domain: str
    cluster_cidr: str
    service_cidr: str
    disabled: frozenset[str]


class Trouble(Exception):
    """The server could not be asked, or declined. `starting`: it may only not be up yet."""

    def __init__(self, text: str, *, starting: bool = False, status: int = 0) -> None:
        super().__init__(text)
        self.starting = starting
        self.status = status


@dataclass(frozen=True)
class Address:
    """Where a server is."""

    url: str
    host: str
    port: int


@dataclass(frozen=True)
class Question:
    """A request, but for where it goes."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


CA_CERTS = Question("GET", "/cacerts")


@dataclass(frozen=True)
class Server:
    """A server whose authority was checked, asked with a token or a node's certificate (a path without suffix)."""

    at: Address
    ca: bytes
    token: Token
    certificate: Path | None = None

    def get(self, name: str) -> bytes:
        """Ask for one of K3s's own files."""
        return self._ask(Question("GET", f"/v1-k3s/{name}", self._credentials()))

    def post(self, name: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Send a signing request for one of them."""
        return self._ask(Question("POST", f"/v1-k3s/{name}", {**self._credentials(), **headers}, body))

    def _ask(self, question: Question) -> bytes:
        context = _context(self.ca)
        if self.certificate:
            context.load_cert_chain(f"{self.certificate}.crt", f"{self.certificate}.key")
        return _request(self.at, context, question)

    def _credentials(self) -> dict[str, str]:
        """K3s's agents always are user `node`, whoever the token names."""
        if self.token.bootstrap:
            return {"Authorization": f"Bearer {self.token.bootstrap}"}
        if not self.token.password:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(f'node:{self.token.password}'.encode()).decode()}"}


def address_of(url: str) -> Address:
    """Take the address of a server apart. Raises Refused."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise Refused(f"only https:// URLs are supported, invalid scheme: {url}")
    try:
        port = parts.port or 443
    except ValueError:
        raise Refused(f"Invalid server url, failed to parse: {url}") from None
    if not parts.hostname:
        raise Refused(f"Invalid server url, failed to parse: {url}")
    return Address(f"https://{parts.netloc}", parts.hostname, port)


def find_server(at: Address, token_text: str, pause: Callable[[float], None]) -> Server:
    """The server, once it answers and is the one the token is for. Until then it says why not, every two seconds."""
    certificate = layout.AGENT / "client-kubelet"
    has_certificate = all(certificate.with_suffix(suffix).exists() for suffix in (".crt", ".key"))
    patience = Patience(pause, VALIDATE_EVERY_S)
    while True:
        try:
            token = _parsed(token_text)
            return Server(at, _checked_ca(at, token), token, certificate if has_certificate else None)
        except Trouble as trouble:
            patience.wait(
                trouble, lambda trouble=trouble: journal.error(f"Failed to validate connection to cluster at {at.url}: {trouble}")
            )


def join(server: Server, config: Config, pause: Callable[[float], None]) -> Settings:
    """Get certificates and settings; returns the settings. Until that works it says why not, every five to ten seconds."""
    patience = Patience(pause, RETRIEVE_EVERY_S)
    while True:
        try:
            return _retrieve(server, config)
        except Trouble as trouble:
            text = f"Waiting to retrieve agent configuration; server is not ready: {trouble}"
            patience.wait(trouble, lambda text=text: journal.info(text))


def wait_until_ready(server: Server, pause: Callable[[float], None]) -> None:
    """Return when nodes may register."""
    patience = Patience(pause, RETRIEVE_EVERY_S)
    while True:
        try:
            server.get("readyz")
            return
        except Trouble as trouble:
            text = f"Waiting to retrieve kube-proxy configuration; server is not ready: {trouble}"
            patience.wait(trouble, lambda text=text: journal.info(text))


@dataclass
class Patience:
    """Between two tries: K3s's pause, or a short one while the server is starting; what is said, is said at K3s's pace."""

    pause: Callable[[float], None]
    every_s: float
    _said_at: float = 0.0

    def wait(self, trouble: Trouble, say: Callable[[], None]) -> None:
        """Say what is wrong unless that was said a moment ago, and wait."""
        now = time.monotonic()
        if now - self._said_at >= self.every_s:
            say()
            self._said_at = now
        self.pause(SOON_S if trouble.starting else self.every_s + secrets.randbelow(1000) / 1000)


def _parsed(text: str) -> Token:
    """The token; a node that has joined before may have none."""
    try:
        return tokens.parse(text) if text else Token()
    except Refused as refused:
        raise Trouble(str(refused)) from None


def _checked_ca(at: Address, token: Token) -> bytes:
    """The server's authority: the one that the token names, and the one that signed the server's certificate."""
    try:
        ca = _request(at, NO_CA, CA_CERTS)
    except Trouble as trouble:
        raise Trouble(f"failed to get CA certs: {trouble}", starting=trouble.starting) from None
    found = tokens.ca_hash(ca)
    if token.ca_hash and token.ca_hash != found:
        raise Trouble(f"token CA hash does not match the Cluster CA certificate hash: {token.ca_hash} != {found}")
    try:
        _request(at, _context(ca), CA_CERTS)
    except Trouble as trouble:
        raise Trouble(f"CA cert validation failed: {trouble}", starting=trouble.starting) from None
    if not token.ca_hash:
        journal.warning(UNTRUSTED)
    return ca


def _retrieve(server: Server, config: Config) -> Settings:
    try:
        settings = _settings(server.get("config"))
    except Trouble as trouble:
        raise Trouble(f"failed to retrieve configuration from server: {trouble}", starting=trouble.starting) from None
    for name in ("client-ca.crt", "server-ca.crt"):
        write(layout.AGENT / name, server.get(name))
    headers = {"k3s-Node-Name": config.node_name, "k3s-Node-Password": node_password.own(), "k3s-Node-IP": config.node_ip}
    for name in ("serving-kubelet", "client-kubelet"):
        _get_certificate(server, name, headers)
    for name in ("client-kube-proxy", "client-k3s-controller"):
        _get_certificate(server, name, {})
    return settings


def _settings(answer: bytes) -> Settings:
    try:
        told: dict[str, Any] = json.loads(answer)
        return Settings(
            cluster_dns=str(told["ClusterDNS"]),
            cluster_domain=str(told["ClusterDomain"]),
            cluster_cidr=str(told["ClusterIPRange"]),
            service_cidr=str(told["ServiceIPRange"]),
            disabled=frozenset(name for name, off in told["Disables"].items() if off),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Trouble(f"its answer cannot be read: {type(error).__name__}: {error}") from None


def _get_certificate(server: Server, name: str, headers: Mapping[str, str]) -> None:
    """Have a certificate made for a key that stays on this machine."""
    path = layout.AGENT / name
    request = certs.signing_request(path.with_suffix(".key"))
    try:
        made = server.post(f"{name}.crt", request, headers)
    except Trouble as trouble:
        if trouble.status == 401 and server.certificate and (server.token.password or server.token.bootstrap):
            journal.info("Node authorization rejected, retrying without client certificate authentication")
            _get_certificate(replace(server, certificate=None), name, headers)
            return
        text = REJECTED if trouble.status == 403 and headers else str(trouble)
        raise Trouble(f"{path}.crt: {text}", starting=trouble.starting, status=trouble.status) from None
    write(path.with_suffix(".crt"), made)


def _context(ca: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca.decode("ascii", "replace"))
    context.check_hostname = False  # K3s's agents ask through 127.0.0.1; every server's certificate is for that
    return context


def _request(at: Address, context: ssl.SSLContext, question: Question) -> bytes:
    url = f"{at.url}{question.path}"
    connection = http.client.HTTPSConnection(at.host, at.port, timeout=TIMEOUT_S, context=context)
    try:
        connection.request(question.method, question.path, question.body or None, dict(question.headers))
        answer = connection.getresponse()
        content = answer.read(ANSWER_LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise Trouble(f'{question.method.capitalize()} "{url}": {_words(error, at)}', starting=_may_be_starting(error)) from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Trouble(
            f"{url}: {answer.status} {http.client.responses.get(answer.status, '')}", starting=answer.status == 503, status=answer.status
        )
    return content


def _may_be_starting(error: Exception) -> bool:
    return isinstance(error, ConnectionError | http.client.HTTPException)


def _words(error: Exception, at: Address) -> str:
    """What went wrong, as Go says it."""
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {at.host}:{at.port}: connect: connection refused"
    if isinstance(error, TimeoutError):
        return f"dial tcp {at.host}:{at.port}: i/o timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    if isinstance(error, OSError) and error.strerror:
        return f"dial tcp {at.host}:{at.port}: {error.strerror.lower()}"
    return str(error) or type(error).__name__
