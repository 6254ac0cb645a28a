"""The processes below the supervisor, and its conversation with systemd.

They live and die together, as in K3s: when one ends, the supervisor ends, and systemd starts all anew (Restart=always).
Containers are not among them: their shims outlive a restart (KillMode=process).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import layout

STOP_WITHIN_S = 5.0


class Children:
    """Starts processes that end with us, and says when the first of them ended."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None, *, fed: bool = False, umask: int = -1
    ) -> subprocess.Popen[bytes]:
        """Start one; what it prints goes to our own log. If `fed`, its standard input is ours to write; `umask` -1 is ours."""
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *map(str, argv)],
            stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
            env={
                name: value for name, value in {**os.environ, **(env or {})}.items() if name != "NOTIFY_SOCKET"
            },  # only we speak to systemd
            cwd=layout.DATA,
            start_new_session=True,
            umask=umask,
        )
        self._running[name] = process
        return process

    def ended(self) -> str:
        """Why we must end: a sentence about the first child found ended, or nothing."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                return f"{name} ended with {'signal' if code < 0 else 'code'} {abs(code)}"
        return ""

    def stop(self) -> None:
        """End all of them, those started last first; kill what has not ended in time."""
        for process in reversed(self._running.values()):
            process.terminate()
        deadline = time.monotonic() + STOP_WITHIN_S
        for process in reversed(self._running.values()):
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()


class Node:
    """The process in which all Kubernetes components of this node run (modules/kube/main.go)."""

    def __init__(self, children: Children, env: Mapping[str, str]) -> None:
        process = children.start("kube", [layout.BIN / "kube", "node"], env, fed=True)
        assert process.stdin is not None
        self._pipe = process.stdin

    def run(self, component: str, flags: Mapping[str, str], extra: Sequence[str] = ()) -> None:
        """Start a component; flags of the user come last, so that they win."""
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        self._tell({"Component": component, "Args": arguments + [f"--{text}" for text in extra]})

    def api_is_ready(self) -> None:
        """Let the components go that wait for the API server."""
        self._tell({"APIReady": True})

    def pace_garbage_collector(self, percent: int) -> None:
        """Set GOGC from now on: high while starting, when time counts; lower afterwards, when memory does."""
        self._tell({"GCPercent": percent})

    def _tell(self, message: dict[str, Any]) -> None:
        self._pipe.write(json.dumps(message).encode() + b"\n")
        self._pipe.flush()


def notify(state: str) -> None:
    """Tell systemd about us (sd_notify(3)); does nothing elsewhere."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.send(state.encode())
