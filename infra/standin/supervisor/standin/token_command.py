"""`k3s token …`: bootstrap tokens and the rotation of the server's token, with K3s's words (pkg/cli/token/token.go, docs.k3s.io/cli/token)."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import bootstrap_tokens, layout, server_tokens, tokens
from .api import TROUBLE, Api, ApiError
from .bootstrap_tokens import BootstrapToken
from .errors import Refused

FORM = r"\A([a-z0-9]{6})\.([a-z0-9]{16})\z"
DEFAULT_TTL = "24h"
USAGE = """usage: k3s token create [--ttl 24h] [--description TEXT] [--groups A,B] [--usages A,B] [TOKEN]   make a bootstrap token
       k3s token list [--output text|json]       show the bootstrap tokens there are
       k3s token delete TOKEN|ID…                delete them
       k3s token generate                        print a random one, without making it
       k3s token rotate [--token OLD] [--new-token NEW]   give the server another token"""
ROTATING = (
    "\033[33mWARNING\033[0m: Recommended to keep a record of the old token. If restoring from a snapshot, "
    "you must use the token associated with that snapshot."
)
OPTIONS = {
    "create": ("ttl", "description", "groups", "usages", "kubeconfig", "data-dir"),
    "list": ("output", "kubeconfig", "data-dir"),
    "delete": ("kubeconfig", "data-dir"),
    "generate": ("kubeconfig", "data-dir"),
    "rotate": ("token", "new-token", "server", "kubeconfig", "data-dir"),
}
UNITS_S = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
WIDTH, PADDING = 10, 3  # of the columns of a list


@dataclass(frozen=True)
class Line:
    """A command line taken apart."""

    command: str
    options: dict[str, str]
    words: tuple[str, ...]


def run(arguments: Sequence[str]) -> int:
    """One command. Raises Refused."""
    if not arguments or arguments[0] in ("help", "--help", "-h"):
        print(USAGE)
        return 0
    line = _parse(arguments)
    try:
        print(
            *{"create": _create, "list": _list, "delete": _delete, "generate": _generate, "rotate": _rotate}[line.command](line), sep="\n"
        )
    except FileNotFoundError as error:
        raise Refused(f"no server was started on this machine: {error.filename} is not there") from None
    except PermissionError as error:
        raise Refused(f"{error.filename}: permission denied; use sudo") from None
    except TROUBLE as error:
        raise Refused(f"the API server on this machine did not answer as it should: {error}") from None
    return 0


def _parse(arguments: Sequence[str]) -> Line:
    command, rest = arguments[0], list(arguments[1:])
    if command not in OPTIONS:
        raise Refused(f"no command 'token {command}' in the K3s stand-in")
    options: dict[str, str] = {}
    words: list[str] = []
    while rest:
        word = rest.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        name = {"o": "output", "t": "token", "s": "server"}.get(name, name)
        if not word.startswith("-"):
            words.append(word)
        elif name not in OPTIONS[command]:
            raise Refused(f"{word!r} is not known to the K3s stand-in as a flag of this command")
        elif equals or rest:
            options[name] = value if equals else rest.pop(0)
        else:
            raise Refused(f"flag needs an argument: {word}")
    return Line(command, options, tuple(words))


def _create(line: Line) -> list[str]:
    text = line.words[0] if line.words else bootstrap_tokens.new()
    found = tokens.BOOTSTRAP.fullmatch(text)
    if not found:
        raise Refused(f'the bootstrap token "{text}" was not of the form "{FORM}"')
    ttl_s = duration_s(line.options.get("ttl", DEFAULT_TTL))
    now = datetime.datetime.now(datetime.UTC)
    token = BootstrapToken(
        id=found[1],
        secret=found[2],
        description=line.options.get("description", ""),
        expires=now + datetime.timedelta(seconds=ttl_s) if ttl_s > 0 else None,
        usages=_listed(line.options.get("usages"), bootstrap_tokens.USAGES),
        groups=_listed(line.options.get("groups"), (bootstrap_tokens.DEFAULT_GROUP,)),
    )
    ca = (layout.TLS / "server-ca.crt").read_bytes()
    try:
        Api().create(bootstrap_tokens.SECRETS, bootstrap_tokens.to_secret(token))
    except ApiError as error:
        if error.code == 409:
            raise Refused(f'a token with id "{token.id}" already exists') from None
        raise
    return [tokens.full(ca, text)]


def _list(line: Line) -> list[str]:
    secrets = Api().get(f"{bootstrap_tokens.SECRETS}?fieldSelector=type%3D{bootstrap_tokens.TYPE.replace('/', '%2F')}")["items"]
    found = [bootstrap_tokens.from_secret(secret) for secret in secrets]
    form = line.options.get("output", "text")
    if form == "json":
        return [json.dumps([_as_json(token) for token in found])]
    if form != "text":
        raise Refused(f"invalid output format: {form}")
    return table(found, datetime.datetime.now(datetime.UTC))


def _delete(line: Line) -> list[str]:
    if not line.words:
        raise Refused("missing argument; 'token delete' is missing token")
    said: list[str] = []
    for word in line.words:
        full = tokens.BOOTSTRAP.fullmatch(word)
        if not (full or re.fullmatch("[a-z0-9]{6}", word)):
            raise Refused(f'given token didn\'t match pattern "\\\\A([a-z0-9]{{6}})\\\\z" or "{FORM}"')
        token_id = full[1] if full else word
        try:
            Api().delete(bootstrap_tokens.path_of(token_id))
        except ApiError as error:
            raise Refused(f'failed to delete bootstrap token "{token_id}": {error}') from None
        said.append(f'bootstrap token "{token_id}" deleted')
    return said


def _generate(_: Line) -> list[str]:
    return [bootstrap_tokens.new()]


def _rotate(line: Line) -> list[str]:
    print(ROTATING)
    old = line.options.get("token") or layout.TOKEN.read_text()
    new = line.options.get("new-token", "")
    server_tokens.rotate(tokens.server_password(old), tokens.server_password(new) or tokens.new_password())
    return ["Token rotated, restart k3s nodes with new token"]


def table(found: Sequence[BootstrapToken], now: datetime.datetime) -> list[str]:
    """The list as K3s prints it."""
    rows = [("TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS")]
    for token in found:
        left = short_duration((token.expires - now).total_seconds()) if token.expires else "<forever>"
        expires = token.expires.strftime("%Y-%m-%dT%H:%M:%SZ") if token.expires else "<never>"
        usages, groups = ",".join(token.usages), ",".join(token.groups)
        rows.append((token.id, left, expires, usages or "<none>", token.description or "<none>", groups or "<none>"))
    widths = [max(WIDTH, *(len(row[column]) + PADDING for row in rows)) for column in range(5)]
    return ["".join(cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True)) + row[5] for row in rows]


def short_duration(seconds: float) -> str:
    """Time left, as k8s.io/apimachinery's ShortHumanDuration says it."""
    if seconds < -1:
        return "<invalid>"
    for limit, unit_s, letter in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h"), (86400 * 365, 86400, "d")):
        if seconds < limit:
            return f"{max(0, int(seconds // unit_s))}{letter}"
    return f"{int(seconds // (86400 * 365))}y"


def duration_s(text: str) -> float:
    """Seconds of a duration as Go writes it, "1h30m". Raises Refused."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", text)
    if (text != "0" and "".join(number + unit for number, unit in parts) != text) or not text:
        raise Refused(f'invalid value "{text}" for flag -ttl: parse error')
    return sum(float(number) * UNITS_S[unit] for number, unit in parts)


def _as_json(token: BootstrapToken) -> dict[str, object]:
    """K3s leaves the token itself out (pkg/kubeadm/types.go); its id is nowhere else, so it is here."""
    shown: dict[str, object] = {"token": {"id": token.id}, "description": token.description, "usages": token.usages, "groups": token.groups}
    if token.expires:
        shown["expires"] = token.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown


def _listed(text: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    return default if text is None else tuple(part for part in text.split(",") if part)
