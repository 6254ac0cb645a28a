"""Joining: a server's endpoints and an agent that asks them, with everything real between them but the machines and the API server."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ssl
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.unit import standin_path  # noqa: F401  # pyright: ignore[reportUnusedImport]

from standin import bootstrap_tokens, certs, joining, layout, network, node_password, nodes, server_tokens, tokens  # isort: skip
from standin.api import ApiError  # isort: skip
from standin.bootstrap_tokens import BootstrapToken  # isort: skip
from standin.config import AGENT_FLAGS, Config, read  # isort: skip
from standin.endpoints import Asked, Endpoints  # isort: skip
from standin.errors import Refused  # isort: skip

DAY = datetime.timedelta(days=1)


class FakeApi:
    """Objects by path."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def get(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise ApiError(404, f"{path} not found")
        return self.objects[path]

    def create(self, path: str, thing: dict[str, Any]) -> None:
        self.objects[f"{path}/{thing['metadata']['name']}"] = thing

    def delete(self, path: str) -> None:
        self.get(path)
        del self.objects[path]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in vars(layout).copy().items():
        if isinstance(value, Path) and name != "HOME":
            monkeypatch.setattr(layout, name, tmp_path / str(value).lstrip("/"))
    monkeypatch.setattr(node_password, "LOG_N", 4)  # K3s's 15 takes a tenth of a second each time
    certs._authority.cache_clear()
    node_password.matches.cache_clear()
    certs.ensure_server("server", "192.0.2.7", (), "cluster.local", "10.43.0.1")
    server_tokens.keep(settings())
    return tmp_path


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def served(root: Path, api: FakeApi) -> Endpoints:
    return Endpoints(settings(), threading.Event(), lambda: api)  # type: ignore[arg-type,return-value]


def settings(name: str = "server", **more: Any) -> Config:
    values = {"cluster-domain": ("cluster.local",), "cluster-cidr": ("10.42.0.0/16",), "service-cidr": ("10.43.0.0/16",)}
    given: dict[str, Any] = {"token": "", "agent_token": "", "values": values, **more}
    return Config(
        node_name=name, node_ip="127.0.0.1", cluster_dns="10.43.0.10", kubernetes_ip="10.43.0.1", kubeconfig_mode=0o600,
        disabled=frozenset({"traefik"}), given=(), **given,
    )  # fmt: skip


@pytest.fixture
def at(root: Path, served: Endpoints) -> Iterator[joining.Address]:
    """The endpoints over HTTPS, with the server's certificate; a client's certificate counts as its name, unverified."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen: Any = self.connection
            if certificate := seen.getpeercert():
                names = {key: value for pairs in certificate["subject"] for key, value in pairs}
                headers |= {"x-remote-user": names["commonName"], "x-remote-group": names.get("organizationName", "")}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer = served.answer(Asked(self.command, self.path, headers, body))
            self.send_response(answer.status)
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(layout.TLS / "serving-kube-apiserver.crt", layout.TLS / "serving-kube-apiserver.key")
    context.load_verify_locations(layout.TLS / "client-ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield joining.address_of(f"https://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


class Impatient(Exception):
    """Raised where an agent would wait and try again."""


def stop(_: float) -> None:
    raise Impatient


@contextlib.contextmanager
def refused() -> Generator[None]:
    with pytest.raises(Impatient):
        yield


def subject(path: Path) -> tuple[str, str]:
    found = x509.load_pem_x509_certificate(path.read_bytes()).subject
    groups = found.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(found.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value), str(groups[0].value) if groups else ""


def test_an_agent_gets_certificates_and_what_it_must_know(at: joining.Address, api: FakeApi) -> None:
    server = joining.find_server(at, layout.NODE_TOKEN.read_text(), stop)
    told = joining.join(server, settings("a1"), stop)
    assert told == joining.Settings("10.43.0.10", "cluster.local", "10.42.0.0/16", "10.43.0.0/16", frozenset({"traefik"}))
    assert subject(layout.AGENT / "client-kubelet.crt") == ("system:node:a1", "system:nodes")
    assert subject(layout.AGENT / "serving-kubelet.crt")[0] == "a1"
    assert subject(layout.AGENT / "client-kube-proxy.crt")[0] == "system:kube-proxy"
    assert (layout.AGENT / "client-kubelet.key").stat().st_mode & 0o777 == 0o600
    assert (layout.AGENT / "server-ca.crt").read_bytes() == (layout.TLS / "server-ca.crt").read_bytes()
    assert "/api/v1/namespaces/kube-system/secrets/a1.node-password.k3s" in api.objects


def test_a_token_of_another_cluster_is_told_by_its_hash(at: joining.Address, capfd: pytest.CaptureFixture[str]) -> None:
    with refused():
        joining.find_server(at, tokens.full(b"other", "server:x"), stop)
    said = capfd.readouterr().err
    assert f'level=error msg="Failed to validate connection to cluster at {at.url}: token CA hash does not match the Cluster CA' in said


def test_a_short_token_is_warned_of(at: joining.Address, capfd: pytest.CaptureFixture[str]) -> None:
    password = tokens.parse(layout.TOKEN.read_text()).password
    server = joining.find_server(at, password, stop)
    assert "level=warning" in (said := capfd.readouterr().err) and "the token does not include a CA hash" in said
    assert joining.join(server, settings("a1"), stop)


def test_a_wrong_password_is_not_authorized(at: joining.Address, capfd: pytest.CaptureFixture[str]) -> None:
    server = joining.find_server(at, "guess", stop)
    with refused():
        joining.join(server, settings("a1"), stop)
    assert (
        f"Waiting to retrieve agent configuration; server is not ready: failed to retrieve configuration from server: "
        f"{at.url}/v1-k3s/config: 401 Unauthorized" in capfd.readouterr().err
    )


def test_a_host_name_that_is_taken_is_refused(at: joining.Address, capfd: pytest.CaptureFixture[str]) -> None:
    server = joining.find_server(at, layout.NODE_TOKEN.read_text(), stop)
    joining.join(server, settings("a1"), stop)
    layout.NODE_PASSWORD.write_text("another machine's\n")
    with refused():
        joining.join(server, settings("a1"), stop)
    said = capfd.readouterr().err
    assert "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match" in said
    assert "unable to verify password for node a1: hash does not match" in said, "the server says it, too"


def test_a_deleted_node_frees_its_name(at: joining.Address, api: FakeApi) -> None:
    server = joining.find_server(at, layout.NODE_TOKEN.read_text(), stop)
    joining.join(server, settings("a1"), stop)
    layout.NODE_PASSWORD.write_text("another machine's\n")
    node_password.forget(api, "a1")  # type: ignore[arg-type]
    node_password.forget(api, "a1")  # type: ignore[arg-type]
    assert joining.join(server, settings("a1"), stop)


@pytest.mark.parametrize(("left", "lets_in"), [(DAY, True), (-DAY, False)])
def test_a_bootstrap_token_joins_while_it_lasts(at: joining.Address, api: FakeApi, left: datetime.timedelta, lets_in: bool) -> None:
    token = BootstrapToken("abcdef", "0123456789abcdef", expires=datetime.datetime.now(datetime.UTC) + left)
    api.create(bootstrap_tokens.SECRETS, bootstrap_tokens.to_secret(token))
    server = joining.find_server(at, tokens.full((layout.TLS / "server-ca.crt").read_bytes(), "abcdef.0123456789abcdef"), stop)
    with contextlib.nullcontext() if lets_in else refused():
        assert joining.join(server, settings("a1"), stop)


def test_a_node_that_joined_needs_its_token_no_more(at: joining.Address, api: FakeApi) -> None:
    joining.join(joining.find_server(at, layout.NODE_TOKEN.read_text(), stop), settings("a1"), stop)
    api.objects["/api/v1/nodes/a1"] = {}
    again = joining.find_server(at, "", stop)
    assert joining.join(again, settings("a1"), stop)
    with refused():
        joining.join(again, settings("a2"), stop)  # its certificate is of another name


def test_a_node_that_was_deleted_comes_back_with_its_token(at: joining.Address, capfd: pytest.CaptureFixture[str]) -> None:
    joining.join(joining.find_server(at, layout.NODE_TOKEN.read_text(), stop), settings("a1"), stop)
    again = joining.find_server(at, layout.NODE_TOKEN.read_text(), stop)
    assert again.certificate
    assert joining.join(again, settings("a1"), stop)
    assert "Node authorization rejected, retrying without client certificate authentication" in capfd.readouterr().err


def test_no_answer_is_told_as_such(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with refused():
        joining.find_server(joining.address_of("https://127.0.0.1:1"), "secret", stop)
    assert 'failed to get CA certs: Get \\"https://127.0.0.1:1/cacerts\\": dial tcp 127.0.0.1:1: connect: connection refused' in (
        capfd.readouterr().err
    )


def test_a_damaged_token_is_told_as_such(at: joining.Address, capfd: pytest.CaptureFixture[str]) -> None:
    with refused():
        joining.find_server(at, "K10short::server:x", stop)
    assert f"Failed to validate connection to cluster at {at.url}: invalid token CA hash length" in capfd.readouterr().err


@pytest.mark.parametrize("url", ["http://192.0.2.1:6443", "192.0.2.1:6443", "https://192.0.2.1:x", "https://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        joining.address_of(url)


def ask(served: Endpoints, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    answer = served.answer(Asked(method, path, {name.replace("_", "-"): value for name, value in headers.items()}, body))
    return answer.status, answer.body


NODE = {"x_remote_user": "system:node:a1", "x_remote_group": "system:nodes"}


def test_only_authority_and_ping_are_for_everybody(served: Endpoints) -> None:
    assert ask(served, "/ping") == (200, b"pong")
    assert ask(served, "/cacerts") == (200, (layout.TLS / "server-ca.crt").read_bytes())
    for path in ("config", "readyz", "client-ca.crt", "client-kubelet.crt", "nothing"):
        assert ask(served, f"/v1-k3s/{path}")[0] == 401
    for bad in ("Basic !!!", "Basic bm8=", "Bearer abcdef.0123456789abcdef", "Bearer ../x.y", "Other x"):
        assert ask(served, "/v1-k3s/config", authorization=bad)[0] == 401
    assert ask(served, "/v1-k3s/config", x_remote_user="dana", x_remote_group="devs")[0] == 403


def test_nodes_may_register_when_the_server_is_ready(served: Endpoints) -> None:
    assert ask(served, "/v1-k3s/readyz", **NODE)[0] == 503
    served.ready.set()
    assert ask(served, "/v1-k3s/readyz", **NODE) == (200, b"ok")


def test_a_bad_request_gets_no_certificate(served: Endpoints, api: FakeApi) -> None:
    api.objects["/api/v1/nodes/a1"] = {}
    named = NODE | {"k3s_node_name": "a1", "k3s_node_password": "x"}
    assert ask(served, "/v1-k3s/client-kubelet.crt", **named)[0] == 405
    assert ask(served, "/v1-k3s/client-kubelet.crt", "POST", b"rubbish", **named)[0] == 400
    assert ask(served, "/v1-k3s/client-kubelet.crt", "POST", **NODE)[0] == 400
    assert ask(served, "/v1-k3s/serving-kubelet.crt", "POST", k3s_node_ip="here", **named)[0] == 400
    assert ask(served, "/v1-k3s/client-kubelet.crt", "POST", **(named | {"k3s_node_name": "../secrets"}))[0] == 400
    assert ask(served, "/v1-k3s/nothing", **NODE)[0] == 404


def test_a_password_is_kept_as_k3s_keeps_it() -> None:
    text = node_password.hash_of("pass", bytes.fromhex("0123456789abcdef"))
    assert text.startswith("$1:0123456789abcdef:15:8:1:") and not text.endswith("=")
    assert node_password.matches(text, "pass") and not node_password.matches(text, "other")
    assert not node_password.matches("rubbish", "pass") and not node_password.matches("$9:00:1:1:1:x", "pass")


def node(address: str = "", pods: str = "") -> dict[str, Any]:
    addresses = [{"type": "Hostname", "address": "x"}, {"type": "InternalIP", "address": address}] if address else []
    return {"status": {"addresses": addresses}, "spec": {"podCIDR": pods} if pods else {}}


def test_routes_lead_to_nodes_that_have_address_and_range() -> None:
    cluster = {
        "server": node("192.0.2.1", "10.42.0.0/24"),
        "a1": node("192.0.2.2", "10.42.1.0/24"),
        "a2": node("192.0.2.3"),
        "a3": node("", "10.42.3.0/24"),
    }
    assert network.neighbours(cluster, "server") == {"a1": network.Neighbour("192.0.2.2", "10.42.1.0/24")}


def test_only_routes_that_differ_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def run(*argv: str, text: str = "") -> str:
        given.extend(text.splitlines())
        return (
            '[{"dst": "10.42.1.0/24", "gateway": "192.0.2.2"}, {"dst": "10.42.9.0/24", "gateway": "192.0.2.9"}]' if "-json" in argv else ""
        )

    monkeypatch.setattr(network, "_run", run)
    network.set_routes({"a1": network.Neighbour("192.0.2.2", "10.42.1.0/24"), "a2": network.Neighbour("192.0.2.3", "10.42.2.0/24")})
    assert given == ["route del 10.42.9.0/24 proto 107", "route replace 10.42.2.0/24 via 192.0.2.3 proto 107"]


def test_an_agent_is_configured_like_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("standin.config.default_address", lambda: "192.0.2.9")
    monkeypatch.setattr(layout, "NODE_ID", tmp_path / "id")
    file = tmp_path / "config.yaml"
    file.write_text("server: https://file:6443\nnode-label: [site=north]\n")
    line = ["-c", str(file), "--node-name", "Edge", "--with-node-id"]
    found = read(line, {"K3S_URL": "https://env:6443", "K3S_TOKEN": "secret"}, AGENT_FLAGS)
    assert found.one("server") == "https://file:6443" and found.token == "secret"
    assert found.node_name == f"edge-{(tmp_path / 'id').read_text().strip()}" and len(found.node_name) == len("edge-") + 8
    assert nodes.node_labels(found) == {"site": "north"}
    with pytest.raises(Refused, match="disable"):
        read(["--disable", "traefik"], {}, AGENT_FLAGS)


def test_secrets_of_the_environment_are_hidden_on_the_node() -> None:
    environ = {"K3S_TOKEN": "K10…", "K3S_URL": "https://192.0.2.1:6443", "PATH": "/bin"}
    assert nodes.environment(environ) == {"K3S_TOKEN": "********", "K3S_URL": "https://192.0.2.1:6443"}
