"""`k3s …` inside a machine. kubectl, crictl and ctr are started by the launcher itself (bin/k3s) and never come here."""

from __future__ import annotations

import os
import sys

from . import layout
from .errors import Refused

USAGE = """The K3s stand-in: upstream Kubernetes {version}, started the way K3s does it. It is not K3s.

usage: k3s server [flags]     run a server; flags are also keys of /etc/rancher/k3s/config.yaml
       k3s token [generate]   print this server's node token, or a new bootstrap token
       k3s kubectl | crictl | ctr …
       k3s --version
"""


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code. What cannot be done is said in one line."""
    try:
        return _dispatch(arguments)
    except Refused as refusal:
        print(f"k3s (stand-in): {refusal}", file=sys.stderr)
        return 1


def _dispatch(arguments: list[str]) -> int:
    command, rest = (arguments or [""])[0], arguments[1:]
    if command == "server":
        from . import server

        if os.getuid() != 0:
            raise Refused("server must run as root")
        return server.run(rest)
    if command == "token":
        return _token(rest)
    if command in ("--version", "-v"):
        print(f"stand-in version v{version()} (upstream Kubernetes v{version()}; this is not K3s)")
        return 0
    if command in ("", "help", "--help", "-h"):
        print(USAGE.format(version=version()), end="")
        return 0
    raise Refused(f"no command {command!r} in the K3s stand-in")


def _token(arguments: list[str]) -> int:
    if arguments == ["generate"]:
        import secrets
        import string

        letters = string.ascii_lowercase + string.digits
        print("".join(secrets.choice(letters) for _ in range(6)) + "." + "".join(secrets.choice(letters) for _ in range(16)))
        return 0
    if arguments:
        raise Refused(f"no command 'token {arguments[0]}' in the K3s stand-in")
    try:
        print(layout.NODE_TOKEN.read_text().strip())
    except OSError as error:
        raise Refused(f"{layout.NODE_TOKEN}: {error.strerror}") from None
    return 0


def version() -> str:
    """The Kubernetes version this stand-in was built from."""
    return (layout.HOME / "VERSION").read_text().strip()
