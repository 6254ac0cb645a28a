"""Tokens: K3s's formats, what lets a node in, and what `k3s token` prints."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest

from tests.unit import standin_path  # noqa: F401  # pyright: ignore[reportUnusedImport]

from standin import bootstrap_tokens, layout, server_tokens, token_command, tokens  # isort: skip
from standin.bootstrap_tokens import BootstrapToken  # isort: skip
from standin.config import Config  # isort: skip
from standin.errors import Refused  # isort: skip
from standin.tokens import Token  # isort: skip

DIGEST = hashlib.sha256(b"PEM").hexdigest()
NOW = datetime.datetime(2026, 11, 28, 14, 0, tzinfo=datetime.UTC)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in vars(layout).copy().items():
        if isinstance(value, Path) and name != "HOME":
            monkeypatch.setattr(layout, name, tmp_path / str(value).lstrip("/"))
    layout.TLS.mkdir(parents=True)
    (layout.TLS / "server-ca.crt").write_bytes(b"PEM")
    return tmp_path


def config(token: str = "", agent_token: str = "") -> Config:
    return Config(
        values={}, node_name="server", node_ip="192.0.2.7", cluster_dns="", kubernetes_ip="", kubeconfig_mode=0o600,
        token=token, agent_token=agent_token, disabled=frozenset(), given=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"K10{DIGEST}::server:pass:word\n", Token(DIGEST, "server", "pass:word")),
        (f"K10{DIGEST}::abcdef.0123456789abcdef", Token(DIGEST, bootstrap="abcdef.0123456789abcdef")),
        ("secret", Token(password="secret")),
        ("with:colon", Token(password="with:colon")),
        ("abcdef.0123456789abcdef", Token(bootstrap="abcdef.0123456789abcdef")),
        ("abcdef.short", Token(password="abcdef.short")),
    ],
)
def test_a_token_is_read_in_every_format(text: str, found: Token) -> None:
    assert tokens.parse(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "token must not be empty"),
        ("K10short::server:x", "invalid token CA hash length"),
        (f"K10{DIGEST}::server:", "invalid token format"),
        (f"K10{DIGEST}", "invalid token format"),
    ],
)
def test_a_damaged_token_is_refused_with_k3s_words(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        tokens.parse(text)


def test_a_server_is_not_given_a_bootstrap_token() -> None:
    assert tokens.server_password("") == ""
    with pytest.raises(Refused, match="failed to normalize server token"):
        tokens.server_password("abcdef.0123456789abcdef")


def test_a_server_keeps_its_token_and_lets_nodes_in_with_it(root: Path) -> None:
    server_tokens.keep(config(token="secret"))
    assert layout.TOKEN.read_text() == f"K10{DIGEST}::server:secret\n"
    assert layout.NODE_TOKEN.resolve() == layout.AGENT_TOKEN.resolve() == layout.TOKEN
    server_tokens.keep(config())
    assert server_tokens.role("node", "secret") == "k3s:agent"
    assert server_tokens.role("server", "secret") == "k3s:server"
    assert server_tokens.role("node", "other") == server_tokens.role("nobody", "secret") == ""
    with pytest.raises(Refused, match="the token differs"):
        server_tokens.keep(config(token="other"))


def test_an_agent_token_lets_agents_in_only(root: Path) -> None:
    server_tokens.keep(config(token="secret", agent_token="for,agents"))
    assert layout.AGENT_TOKEN.read_text() == f"K10{DIGEST}::node:for,agents\n"
    assert server_tokens.role("node", "for,agents") == "k3s:agent"
    assert server_tokens.role("server", "for,agents") == ""
    assert server_tokens.role("node", "secret") == "k3s:agent", "the server's token joins both (docs.k3s.io/cli/token)"


def test_a_rotated_token_replaces_the_old_one(root: Path) -> None:
    server_tokens.keep(config(token="old"))
    with pytest.raises(Refused, match="401 Unauthorized"):
        server_tokens.rotate("guess", "new")
    server_tokens.rotate("old", "new")
    assert layout.TOKEN.read_text() == f"K10{DIGEST}::server:new\n"
    assert server_tokens.role("node", "new") == "k3s:agent" and server_tokens.role("node", "old") == ""


def test_a_bootstrap_token_survives_its_secret() -> None:
    made = BootstrapToken("abcdef", "0123456789abcdef", "for a1", NOW)
    secret = bootstrap_tokens.to_secret(made)
    assert secret["metadata"]["name"] == "bootstrap-token-abcdef" and secret["type"] == "bootstrap.kubernetes.io/token"
    found = bootstrap_tokens.from_secret(secret)
    assert found == BootstrapToken("abcdef", "0123456789abcdef", "for a1", NOW, ("authentication", "signing"))
    before = NOW - datetime.timedelta(seconds=1)
    assert found.lets_in("0123456789abcdef", before)
    assert not found.lets_in("0123456789abcdeX", before)
    assert not found.lets_in("0123456789abcdef", NOW), "it has ended"
    assert not BootstrapToken("abcdef", "s", usages=("signing",)).lets_in("s", NOW), "it is not for joining"


def test_the_list_looks_like_k3s() -> None:
    found = [
        BootstrapToken("abcdef", "0123456789abcdef", "", NOW + datetime.timedelta(hours=23, minutes=59), ("authentication", "signing")),
        BootstrapToken("ghijkl", "0123456789abcdef", "for a1", None, (), ()),
    ]
    assert token_command.table(found, NOW) == [
        "TOKEN     TTL         EXPIRES                USAGES                   DESCRIPTION   EXTRA GROUPS",
        "abcdef    23h         2026-11-29T13:59:00Z   authentication,signing   <none>        system:bootstrappers:k3s:default-node-token",
        "ghijkl    <forever>   <never>                <none>                   for a1        <none>",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "<invalid>"), (0, "0s"), (59, "59s"), (3599, "59m"), (86399, "23h"), (86400 * 3, "3d"), (86400 * 800, "2y")]
)
def test_time_left_is_said_shortly(seconds: float, text: str) -> None:
    assert token_command.short_duration(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("24h0m0s", 86400), ("1.5m", 90), ("0", 0), ("90s", 90)])
def test_durations_are_go_s(text: str, seconds: float) -> None:
    assert token_command.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "tomorrow", "1d", "h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="for flag -ttl"):
        token_command.duration_s(text)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["create", "abc"], "was not of the form"),
        (["create", "--ttl"], "flag needs an argument"),
        (["create", "--colour", "red"], "not known"),
        (["delete"], "'token delete' is missing token"),
        (["delete", "UPPER1"], "given token didn't match pattern"),
        (["burn"], "no command 'token burn'"),
    ],
)
def test_a_wrong_command_line_is_refused(words: list[str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        token_command.run(words)


def test_without_a_server_there_is_nothing_to_rotate(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused, match="no server was started"):
        token_command.run(["rotate"])
    assert token_command.run(["generate"]) == 0
    assert tokens.BOOTSTRAP.fullmatch(capsys.readouterr().out.splitlines()[-1])
