"""The tokens that a server keeps: server/token and its links, and cred/passwd, from which it lets nodes in (docs.k3s.io/cli/token,
pkg/daemons/control/deps/deps.go, pkg/server/handlers/token.go)."""

from __future__ import annotations

import hmac

from . import layout, tokens
from .config import Config
from .errors import Refused
from .files import link, write

AGENT_ROLE, SERVER_ROLE = "k3s:agent", "k3s:server"


def keep(config: Config) -> None:
    """Write them; the password is the one given, else the one there, else a new one. Raises Refused if the one given is another one."""
    there = tokens.parse(layout.TOKEN.read_text()).password if layout.TOKEN.exists() else ""
    password = tokens.server_password(config.token) or there or tokens.new_password()
    if there and password != there:
        raise Refused("the token differs from the one this server was first started with: /var/lib/rancher/k3s/server/token")
    _write(password, tokens.server_password(config.agent_token))


def rotate(old: str, new: str) -> None:
    """Replace the server's token. A server that runs lets nodes in with the new one from here on. Raises Refused if `old` is not it."""
    passwords = {user: password for password, user, _ in _passwd()}
    if not hmac.compare_digest(passwords["server"].encode(), old.encode()):
        raise Refused("https://127.0.0.1:6443/v1-k3s/token: 401 Unauthorized")
    _write(new, "" if passwords["node"] == old else passwords["node"])


def role(user: str, password: str) -> str:
    """What a node may do that shows these credentials; empty if nothing. The server's token also lets agents in."""
    for known, name, group in _passwd():
        if hmac.compare_digest(known.encode(), password.encode()) and (name == user or (user == "node" and name == "server")):
            return AGENT_ROLE if user == "node" else group
    return ""


def _write(password: str, agent_password: str) -> None:
    ca = (layout.TLS / "server-ca.crt").read_bytes()
    write(layout.TOKEN, f"{tokens.full(ca, f'server:{password}')}\n".encode())
    link(layout.NODE_TOKEN, layout.TOKEN)
    if agent_password:
        layout.AGENT_TOKEN.unlink(missing_ok=True)
        write(layout.AGENT_TOKEN, f"{tokens.full(ca, f'node:{agent_password}')}\n".encode())
    else:
        link(layout.AGENT_TOKEN, layout.TOKEN)
    users = f"{agent_password or password},node,node,{AGENT_ROLE}\n{password},server,server,{SERVER_ROLE}\n"
    write(layout.PASSWD, users.encode())


def _passwd() -> list[tuple[str, str, str]]:
    """Password, user and role of each line; a password may hold commas."""
    lines = (layout.PASSWD).read_text().splitlines()
    return [(password, user, group) for password, user, _, group in (line.rsplit(",", 3) for line in lines)]
