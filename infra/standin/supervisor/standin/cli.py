"""`k3s …` inside a machine. kubectl, crictl and ctr are started by the launcher itself (bin/k3s) and never come here."""

from __future__ import annotations

import importlib
import os
import sys

from . import journal, layout
from .errors import Refused

USAGE = """The K3s stand-in: upstream Kubernetes {version}, started the way K3s does it. It is not K3s.

usage: k3s server [flags]     run a server; flags are also keys of /etc/rancher/k3s/config.yaml
       k3s agent [flags]      run an agent, which joins the server of --server or K3S_URL with --token or K3S_TOKEN
       k3s token              create, list, delete, generate, rotate
       k3s secrets-encrypt    status, enable, disable, rotate-keys and the older steps
       k3s certificate        check, or rotate
       k3s check-config       whether this machine has what K3s needs
       k3s kubectl | crictl | ctr …
       k3s --version
"""

TOOLS = {  # commands with a module of their own, which is imported when it is asked for
    "certificate": "certificate",
    "check-config": "check_config",
    "secrets-encrypt": "secrets_encrypt",
    "token": "token_command",
}


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code. What cannot be done is said in one line."""
    try:
        return _dispatch(arguments)
    except Refused as refusal:
        print(f"k3s (stand-in): {refusal}", file=sys.stderr)
        return 1


def _dispatch(arguments: list[str]) -> int:
    command, rest = (arguments or [""])[0], arguments[1:]
    if command in ("server", "agent"):
        return _print_usage(command) if {"-h", "--help"} & set(rest) else _run_node(command, rest)
    if command in TOOLS:
        return importlib.import_module(f".{TOOLS[command]}", __package__).run(rest)
    if command in ("--version", "-v"):
        print(f"stand-in version v{version()} (upstream Kubernetes v{version()}; this is not K3s)")
        return 0
    if command in ("", "help", "--help", "-h"):
        print(USAGE.format(version=version()), end="")
        return 0
    raise Refused(f"no command {command!r} in the K3s stand-in")


def _print_usage(command: str) -> int:
    from . import config, usage

    print(usage.usage(command, config.SERVER_FLAGS if command == "server" else config.AGENT_FLAGS), end="")
    return 0


def _run_node(command: str, arguments: list[str]) -> int:
    """Run a server or an agent; what it refuses is the last line of the journal, as in K3s."""
    if os.getuid() != 0:
        raise Refused(f"{command} must run as root")
    from . import agent, server

    try:
        return (server if command == "server" else agent).run(arguments)
    except Refused as refusal:
        journal.fatal(f"Error: {refusal}")
        return 1


def version() -> str:
    """The Kubernetes version this stand-in was built from."""
    return (layout.HOME / "VERSION").read_text().strip()
