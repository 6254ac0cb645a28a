"""Secrets encryption of the stand-in: its keys, its stages and what `k3s secrets-encrypt` says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit import standin_path as _standin_path  # noqa: F401 - makes `standin` importable

from standin import config, encryption, layout, secrets_encrypt  # isort: skip
from standin.errors import Refused  # isort: skip

NODE = "/api/v1/nodes/server"


class FakeApi:
    """One server node and two Secrets; reads a changed configuration at once."""

    def __init__(self) -> None:
        self.annotations: dict[str, str] = {}
        self.rewritten_with: list[str] = []
        self._seen = b""
        self._reloads = 0

    def get(self, path: str) -> dict[str, Any]:
        node = {"metadata": {"name": "server", "annotations": self.annotations}}
        if path == NODE:
            return node
        if path.startswith("/api/v1/nodes?"):
            return {"items": [node]}
        return {"metadata": {}, "items": [{"metadata": {"namespace": "shop", "name": name}} for name in ("a", "b")]}

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        assert path == NODE
        self.annotations.update(patch["metadata"]["annotations"])

    def request(self, method: str, path: str, body: object = None) -> bytes:
        if path == "/metrics":
            content = encryption.config_file().read_bytes()
            self._reloads += content != self._seen
            self._seen = content
            return f'apiserver_encryption_config_controller_automatic_reloads_total{{status="success"}} {self._reloads}'.encode()
        assert (method, path.rsplit("/", 2)[1]) == ("PUT", "secrets")
        first = encryption.providers()[0]
        self.rewritten_with.append(next((key["name"] for about in first.values() for key in about.get("keys", [])), "clear"))
        return b""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    monkeypatch.setattr(layout, "CRED", tmp_path)
    api = FakeApi()
    monkeypatch.setattr(secrets_encrypt, "Api", lambda: api)
    return api


def start(api: FakeApi, provider: str = "aescbc", *, encrypts: bool = True) -> None:
    if encryption.prepare(encrypts=encrypts, provider=provider, node_name="server"):
        api.annotations[encryption.ANNOTATION] = encryption.kept_state()


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def ask(*words: str) -> str:
        assert secrets_encrypt.run(words) == 0
        return capsys.readouterr().out

    return ask


def test_status_of_a_server_that_encrypts(api: FakeApi, ask: Callable[..., str]) -> None:
    start(api)
    assert ask("status") == (
        "Encryption Status: Enabled\n"
        "Current Rotation Stage: start\n"
        "Server Encryption Hashes: All hashes match\n"
        "\n"
        "Active  Key Type  Name\n"
        "------  --------  ----\n"
        " *      AES-CBC   aescbckey\n\n"
    )
    assert json.loads(ask("status", "-o", "json")) == {
        "stage": "start", "activekey": "AES-CBC aescbckey", "enable": True, "hashmatch": True,
    }  # fmt: skip
    assert encryption.config_file().stat().st_mode & 0o777 == 0o600


def test_status_of_a_server_that_never_did(api: FakeApi, ask: Callable[..., str]) -> None:
    start(api, encrypts=False)
    assert ask("status").strip() == "Encryption Status: Disabled, no configuration file found"


def test_a_restart_keeps_the_key(api: FakeApi) -> None:
    start(api)
    before = encryption.config_file().read_bytes()
    start(api)
    assert encryption.config_file().read_bytes() == before


def test_rotating_keys_encrypts_everything_anew_and_drops_the_old_key(api: FakeApi, ask: Callable[..., str]) -> None:
    start(api)
    assert ask("rotate-keys") == "keys rotated, reencryption started\n"
    said = ask("status")
    assert "Current Rotation Stage: reencrypt_finished" in said
    assert " *      AES-CBC   aescbckey-2" in said
    assert len(encryption.keys_of(encryption.providers()).aescbc) == 1
    assert len(api.rewritten_with) == 2
    assert all(name.startswith("aescbckey-2") for name in api.rewritten_with)
    ask("rotate-keys")


def test_changing_the_provider_takes_a_rotation(api: FakeApi, ask: Callable[..., str]) -> None:
    start(api)
    start(api, "secretbox")
    assert "AES-CBC   aescbckey" in ask("status")
    ask("rotate-keys")
    assert " *      XSalsa20-POLY1305  secretboxkey-2" in ask("status")
    assert encryption.keys_of(encryption.providers()).aescbc == ()


def test_the_older_way_goes_step_by_step(api: FakeApi, ask: Callable[..., str]) -> None:
    start(api)
    with pytest.raises(Refused, match="incorrect stage: start"):
        secrets_encrypt.run(["rotate"])
    ask("prepare")
    assert ask("status").endswith(
        " *      AES-CBC   aescbckey\n        AES-CBC   " + encryption.providers()[0]["aescbc"]["keys"][1]["name"] + "\n\n"
    )
    ask("rotate")
    ask("reencrypt")
    assert "reencrypt_finished" in ask("status")
    assert len(encryption.keys_of(encryption.providers()).aescbc) == 1


def test_disabled_and_enabled_again(api: FakeApi, ask: Callable[..., str]) -> None:
    start(api)
    ask("disable")
    assert ask("status").startswith("Encryption Status: Disabled\n")
    assert api.rewritten_with == ["clear", "clear"]
    ask("enable")
    assert ask("status").startswith("Encryption Status: Enabled\n")


def test_a_server_that_did_not_encrypt_begins_with_enable_restart_and_rotation(api: FakeApi, ask: Callable[..., str]) -> None:
    start(api, encrypts=False)
    ask("enable")
    start(api)
    said = ask("status")
    assert "Encryption Status: Disabled\nCurrent Rotation Stage: start" in said
    ask("rotate-keys")
    assert "Encryption Status: Enabled" in ask("status")


@pytest.mark.parametrize(
    ("words", "named"),
    [(["rotat"], "rotat"), (["status", "--cluster"], "--cluster"), (["status", "-o"], "-o"), (["rotate-keys"], "no conf")],
)
def test_what_cannot_be_done_is_named(api: FakeApi, words: list[str], named: str) -> None:
    start(api, encrypts=False)
    with pytest.raises(Refused, match=named):
        secrets_encrypt.run(words)


def test_a_provider_that_k3s_does_not_have_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("secrets-encryption: true\nsecrets-encryption-provider: aesgcm\n")
    with pytest.raises(Refused, match="aesgcm"):
        config.read(["--config", str(file), "--node-ip", "192.0.2.7"], {})
