"""Running a command in a pod's container through the API, as `kubectl exec` does, without a kubectl."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Sequence
from typing import Any

from courselab.errors import LabError
from courselab.grade.dig import rows, text
from courselab.grade.kube import Api, ApiDown
from courselab.process import Completed

OUTPUT_LIMIT_BYTES = 256 * 1024
# The first byte of a message says which stream it is of: https://kubernetes.io/docs/reference/using-api/api-concepts/
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]


class ExecFailed(LabError):
    """The command could not be run in the pod."""


def exec_in_pod(api: Api, namespace: str, pod: str, argv: Sequence[str], *, container: str | None, timeout_s: float) -> Completed:
    """Run `argv` and return its exit code and output, each at most 256 KiB. Raises ExecFailed, ApiDown."""
    import websocket

    ends = time.monotonic() + timeout_s
    query = [("command", word) for word in argv] + [("stdout", "1"), ("stderr", "1")]
    if container:
        query.append(("container", container))
    access = api.access
    scheme = "wss" if access.context else "ws"
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec?{urllib.parse.urlencode(query)}"
    connection = api.open(timeout_s)
    try:
        socket: Any = websocket.create_connection(
            f"{scheme}://{access.host}:{access.port}{path}",
            header=[f"{key}: {value}" for key, value in api.headers().items() if key != "Accept"],
            subprotocols=_PROTOCOLS,
            socket=connection.sock,
            timeout=timeout_s,
        )
        return _read(socket, argv, ends)
    except websocket.WebSocketBadStatusException as refused:
        why = _message(getattr(refused, "resp_body", None)) or str(refused)[:300]
        raise ExecFailed(f"`{argv[0]}` could not be run in pod {pod}", why=why) from refused
    except websocket.WebSocketTimeoutException as late:
        raise ExecFailed(f"`{argv[0]}` did not end in pod {pod} within {timeout_s:g} s") from late
    except (websocket.WebSocketException, OSError) as broken:
        raise ApiDown("The connection to the pod broke", why=str(broken)) from broken
    finally:
        connection.close()


def _read(socket: Any, argv: Sequence[str], ends: float) -> Completed:
    streams = {_STDOUT: b"", _STDERR: b"", _STATUS: b""}
    truncated = False
    while not streams[_STATUS]:
        socket.settimeout(max(0.01, ends - time.monotonic()))
        _, message = socket.recv_data()
        if not message:
            break
        stream, data = message[0], message[1:]
        if stream in streams:
            room = OUTPUT_LIMIT_BYTES - len(streams[stream])
            truncated |= len(data) > room
            streams[stream] += data[:room]
    return Completed(tuple(argv), _exit_code(streams[_STATUS], argv), streams[_STDOUT], streams[_STDERR], truncated)


def _message(body: Any) -> str:
    """What the API says in an answer that refuses."""
    try:
        return text(json.loads(body or b""), "message")[:300]
    except ValueError:
        return ""


def _exit_code(status: bytes, argv: Sequence[str]) -> int:
    """The API ends with a Status object: Success, or a Failure whose cause "ExitCode" says the code."""
    try:
        answer: Any = json.loads(status)
    except ValueError:
        raise ExecFailed(f"`{argv[0]}` ended without saying how") from None
    if text(answer, "status") == "Success":
        return 0
    for cause in rows(answer, "details", "causes"):
        if cause.get("reason") == "ExitCode":
            return int(text(cause, "message") or 1)
    raise ExecFailed(f"`{argv[0]}` could not be run", why=text(answer, "message")[:300])
