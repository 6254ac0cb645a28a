"""One HTTP request to a lab: to an address, never to a name that someone's DNS or hosts file could send elsewhere."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import time
import urllib.parse
from collections.abc import Mapping

from courselab.grade.authors import CheckerMistake
from courselab.grade.dig import Obj

BODY_LIMIT_BYTES = 64 * 1024


def ask(
    url: str,
    addresses: Mapping[str, str],
    *,
    host: str | None = None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
) -> Obj:
    """Make the request; the answer, or the error, as JSON-able values (see Lab.http). `addresses`: machine names and their addresses."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CheckerMistake(f"{url!r} is not an http or https URL")
    address = addresses.get(parts.hostname) or _address(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    answer: Obj = {"status": 0, "body": "", "headers": {}, "error": "", "certificate": ""}
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    ends = time.monotonic() + timeout_s
    try:
        connection.connect()
        if parts.scheme == "https":
            answer["certificate"] = _secure(connection, host or parts.hostname)
        default = f"{address}:{port}" if parts.port else address
        connection.request(method, path, headers={"Host": host or default, "User-Agent": "k3s-course-lab", **(headers or {})})
        response = connection.getresponse()
        answer["status"] = response.status
        answer["headers"] = {key.lower(): value for key, value in response.getheaders()[:100]}
        answer["body"] = _body(response, ends).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as failed:
        answer["error"] = _reason(failed)
    finally:
        connection.close()
    return answer


def _address(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        raise CheckerMistake(f"{name!r} is neither a machine nor an IP address: give the name as host=") from None


def _secure(connection: http.client.HTTPConnection, name: str) -> str:
    """Speak TLS on the connection; returns the server's certificate as PEM, unjudged: a check says what it should be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secure = context.wrap_socket(connection.sock, server_hostname=name)
    connection.sock = secure
    return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


def _body(response: http.client.HTTPResponse, ends: float) -> bytes:
    data = b""
    while len(data) < BODY_LIMIT_BYTES and time.monotonic() < ends:  # a server that sends a byte at a time ends nothing by itself
        chunk = response.read1(BODY_LIMIT_BYTES - len(data))
        if not chunk:
            break
        data += chunk
    return data


def _reason(failed: Exception) -> str:
    if isinstance(failed, ConnectionRefusedError):
        return "connection refused"
    if isinstance(failed, TimeoutError):
        return "no answer in time"
    if isinstance(failed, (http.client.RemoteDisconnected, ConnectionResetError)):
        return "the connection was closed without an answer"
    return str(failed) or type(failed).__name__
