"""Secrets encryption of the stand-in, on a real server, as K3s does it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.server import Server, server_of_its_own

CONFIG = {"secrets-encryption": True, "disable": ["traefik", "servicelb"]}
# What the datastore holds of a Secret, by its last revision. The file is copied: it is in use.
LAST_REVISION = """
import shutil, sqlite3, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    for end in ("", "-wal", "-shm"):
        shutil.copy("/var/lib/rancher/k3s/server/db/state.db" + end, folder + "/state.db" + end)
    rows = sqlite3.connect(folder + "/state.db").execute("select value from kine where name = ? order by id desc limit 1", sys.argv[1:])
    sys.stdout.buffer.write(next(rows)[0])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server_of_its_own(tmp_path_factory.mktemp("home"), "secrets", CONFIG) as found:
        yield found


def stored(server: Server, name: str) -> bytes:
    """A Secret as the datastore has it."""
    done = server.machine.run(["python3", "-c", LAST_REVISION, f"/registry/secrets/default/{name}"], timeout_s=30)
    assert done.code == 0, done.error_text
    return done.stdout


def test_secrets_are_encrypted_in_the_datastore(server: Server) -> None:
    server.kubectl("create", "secret", "generic", "shop", "--from-literal=password=open-sesame")
    server.kubectl("create", "configmap", "shop", "--from-literal=password=open-sesame")
    there = stored(server, "shop")
    assert there.startswith(b"k8s:enc:aescbc:v1:aescbckey:")
    assert b"open-sesame" not in there
    assert server.kubectl("get", "secret", "shop", "-o", "jsonpath={.data.password}") == "b3Blbi1zZXNhbWU="


def test_secrets_encrypt_says_so_to_root_only(server: Server) -> None:
    said = server.sh("k3s secrets-encrypt status")
    assert said.splitlines() == [
        "Encryption Status: Enabled",
        "Current Rotation Stage: start",
        "Server Encryption Hashes: All hashes match",
        "",
        "Active  Key Type  Name",
        "------  --------  ----",
        " *      AES-CBC   aescbckey",
    ]
    refused = server.machine.run(["k3s", "secrets-encrypt", "status"], timeout_s=20, user="student")
    assert refused.code == 1
    assert "permission denied" in refused.error_text


def test_rotating_the_keys_encrypts_what_is_there_anew(server: Server) -> None:
    assert "keys rotated" in server.sh("k3s secrets-encrypt rotate-keys", timeout_s=150)
    state = json.loads(server.sh("k3s secrets-encrypt status -o json"))
    assert state["stage"] == "reencrypt_finished"
    key = state["activekey"].removeprefix("AES-CBC ")
    assert key.startswith("aescbckey-2")
    assert "inactivekeys" not in state
    assert stored(server, "shop").startswith(f"k8s:enc:aescbc:v1:{key}:".encode())
    server.sh("systemctl restart k3s")
    server.until("the stage outlives a restart", lambda: "reencrypt_finished" in server.sh("k3s secrets-encrypt status || true"))
    assert server.kubectl("get", "secret", "shop", "-o", "jsonpath={.data.password}") == "b3Blbi1zZXNhbWU="


def test_encryption_can_be_taken_back(server: Server) -> None:
    server.sh("k3s secrets-encrypt disable; systemctl restart k3s")
    server.until("it says so", lambda: "Encryption Status: Disabled" in server.sh("k3s secrets-encrypt status || true"))
    server.sh("k3s secrets-encrypt reencrypt --force --skip")
    assert b"open-sesame" in stored(server, "shop")
    server.sh("k3s secrets-encrypt enable; systemctl restart k3s; k3s secrets-encrypt reencrypt --force --skip")
    assert b"open-sesame" not in stored(server, "shop")
