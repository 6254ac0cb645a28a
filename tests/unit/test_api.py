"""Reaching a cluster's API by its kubeconfig: over TLS both ways, with nothing left on this computer."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import ssl
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from courselab.errors import LabError, Unreachable
from courselab.k3s.api import Api, ApiError


def certificate() -> tuple[bytes, bytes]:
    """One that is an authority, a server's and a client's, and its key."""
    key, day = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "k3s")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, day - datetime.timedelta(days=1), day + datetime.timedelta(days=9))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), private


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(403 if self.path == "/forbidden" else 200)
        self.send_header("Content-Length", "40" if self.path == "/cut-off" else "4")
        self.end_headers()
        self.wfile.write(b"pong")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Generator[dict[str, Any]]:
    shown, key = certificate()
    (tmp_path / "server.pem").write_bytes(shown + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    ca, private = (base64.b64encode(part).decode() for part in (shown, key))
    yield {
        "clusters": [
            {"name": "default", "cluster": {"server": f"https://127.0.0.1:{server.server_port}", "certificate-authority-data": ca}}
        ],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
        "users": [{"name": "default", "user": {"client-certificate-data": ca, "client-key-data": private}}],
        "current-context": "default",
    }
    server.shutdown()
    server.server_close()


def test_the_administrator_s_key_is_left_nowhere(kubeconfig: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for _ in range(2):
        assert Api(kubeconfig).text("/ping") == "pong"
    assert list((tmp_path / "tmp").iterdir()) == [], "`lab` ends without asking anyone to tidy up"


def test_another_server_than_the_kubeconfig_s_is_not_believed(kubeconfig: dict[str, Any]) -> None:
    other, key = (base64.b64encode(part).decode() for part in certificate())
    kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] = other
    with pytest.raises(LabError, match="certificate verify failed"):
        Api(kubeconfig).text("/ping")
    kubeconfig["users"][0]["user"]["client-key-data"] = key
    with pytest.raises(LabError, match="cannot be used"):
        Api(kubeconfig)


def test_an_answer_that_is_an_error_or_ends_too_early_is_told(kubeconfig: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="403"):
        Api(kubeconfig).text("/forbidden")
    with pytest.raises(Unreachable, match="does not answer"):
        Api(kubeconfig).text("/cut-off")
