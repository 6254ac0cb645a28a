"""Requests to the API server, straight over HTTPS: starting kubectl for each would cost more than the request."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import layout

Object = dict[str, Any]
TIMEOUT_S = 30.0


class ApiError(Exception):
    """The API server refused; `code` is the HTTP status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


TROUBLE = (ApiError, OSError, http.client.HTTPException)  # what may go wrong with a request


@dataclass(frozen=True)
class Access:
    """Where an API server is, and as whom it is asked: a certificate's path without suffix, and the file of the server's authority."""

    host: str
    port: int
    certificate: Path
    ca: Path


def as_supervisor() -> Access:
    """The API server of this machine, asked with all rights."""
    return Access("127.0.0.1", 6443, layout.TLS / "client-supervisor", layout.TLS / "server-ca.crt")


class Api:
    """One kept connection. Not for use by several threads at once."""

    def __init__(self, access: Access | None = None) -> None:
        self._access = access or as_supervisor()
        self._context = ssl.create_default_context(cafile=str(self._access.ca))
        self._context.check_hostname = False  # as in K3s, whose agents ask through an address of their own; the authority is checked
        self._context.load_cert_chain(f"{self._access.certificate}.crt", f"{self._access.certificate}.key")
        self._connection: http.client.HTTPSConnection | None = None

    def wait_until(self, path: str, give_up: Callable[[], None]) -> None:
        """Return once GET `path` answers 200; `give_up()` is asked in between and may raise."""
        while True:
            try:
                self.request("GET", path)
                return
            except TROUBLE:
                give_up()
                time.sleep(0.025)

    def get(self, path: str) -> Object:
        return json.loads(self.request("GET", path))

    def apply(self, path: str, thing: Object, manager: str) -> Object:
        """Create or change an object by server-side apply; conflicts are settled in our favour."""
        target = f"{path}?fieldManager={manager}&force=true"
        return json.loads(self.request("PATCH", target, thing, "application/apply-patch+yaml"))

    def merge(self, path: str, patch: Object) -> Object:
        return json.loads(self.request("PATCH", path, patch, "application/merge-patch+json"))

    def create(self, path: str, thing: Object) -> Object:
        return json.loads(self.request("POST", path, thing))

    def delete(self, path: str) -> None:
        self.request("DELETE", path)

    def watch(self, path: str) -> Iterator[Object]:
        """Events of a watch until the server ends it."""
        connection = self._connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ApiError(answer.status, answer.read(2000).decode("utf-8", "replace"))
        for line in answer:
            yield json.loads(line)

    def request(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> bytes:
        """One request; a kept connection that has gone stale is opened anew. Raises ApiError, OSError, HTTPException."""
        data = None if body is None else json.dumps(body).encode()
        fresh = self._connection is None
        connection = self._connection or self._connect()
        self._connection = None
        try:
            connection.request(method, path, data, {"Content-Type": kind, "Accept": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            if fresh:
                raise
            return self.request(method, path, body, kind)
        self._connection = connection
        if answer.status >= 300:
            raise ApiError(answer.status, _reason(text))
        return text

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._access.host, self._access.port, timeout=TIMEOUT_S, context=self._context)


def _reason(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500].decode("utf-8", "replace")
