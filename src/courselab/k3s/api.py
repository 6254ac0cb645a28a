"""Looking at a cluster while it gets ready, through the official `kubernetes` client. The grader has a quicker way: courselab.grade.kube.

Objects stay plain dicts, and no discovery is done: paths are known, and a lab's cluster must answer in milliseconds.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from courselab.errors import LabError, Unreachable

Object = dict[str, Any]
_CONNECT_S = 3.0


@dataclass(frozen=True)
class Kind:
    """Where the API serves a kind: `path` is "api/v1" or "apis/apps/v1", `plural` the resource's name there."""

    name: str
    path: str
    plural: str
    namespaced: bool = True

    def url(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of this kind's list, or of one object; without a namespace, of all namespaces."""
        inside = f"namespaces/{namespace}/" if self.namespaced and namespace else ""
        return f"/{self.path}/{inside}{self.plural}" + (f"/{name}" if name else "")


class ApiError(LabError):
    """The API answered, with an error. `status` is the HTTP status, `reason` Kubernetes' word for it ("NotFound")."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(
            f"The cluster refused a request ({status} {reason})", why=message[:500], fix="`lab status` shows how the cluster is."
        )
        self.status = status
        self.reason = reason


class Api:
    """A cluster's API, reached with the credentials of a kubeconfig. Safe to use from several threads."""

    def __init__(self, kubeconfig: Mapping[str, Any]) -> None:
        from kubernetes import client as kubernetes_client
        from kubernetes import dynamic

        settings: Any = cast(Any, kubernetes_client).Configuration()
        settings.retries = False  # we retry where it makes sense, and say so
        settings.proxy = None  # a lab's machines are never behind the user's proxy
        settings.connection_pool_maxsize = 16
        settings.host, tls = _access(kubeconfig)
        client = cast(Any, kubernetes_client).ApiClient(settings)
        client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = tls
        self._dynamic: Any = cast(Any, dynamic).DynamicClient(client, discoverer=lambda *_: None)  # pyright: ignore[reportUnknownLambdaType]

    def text(self, path: str, *, timeout_s: float = 10.0) -> str:
        """What is at `path`. Raises ApiError for an answer that is an error, Unreachable for none."""
        with _failures_told():
            return str(self._get(path, {}, timeout_s).data, "utf-8", "replace")

    def watch(self, path: str, *, timeout_s: float, **query: str) -> Iterator[Object]:
        """The objects at `path` and then every change, as watch events, until `timeout_s` seconds are over or the server ends it.

        Without a resourceVersion the server first sends an ADDED event per existing object. Raises as `text` does.
        """
        query = {"watch": "true", "timeoutSeconds": str(max(1, int(timeout_s))), "allowWatchBookmarks": "true", **query}
        with _failures_told(), closing(self._get(path, query, timeout_s + 2)) as response:
            for line in _lines(response):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object", {})
                    raise ApiError(int(status.get("code", 500)), str(status.get("reason", "")), str(status.get("message", "")))
                yield event

    def _get(self, path: str, query: Mapping[str, str], timeout_s: float) -> Any:
        """The answer, whose body is still to be read."""
        timeouts = (_CONNECT_S, timeout_s)
        return self._dynamic.request("get", path, query_params=list(query.items()), serialize=False, _request_timeout=timeouts)


@contextmanager
def _failures_told() -> Generator[None]:
    """What the client and the connections below it raise, as errors of ours."""
    from kubernetes.client.exceptions import ApiException  # pyright: ignore[reportMissingTypeStubs]
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as refused:  # also the dynamic client's own
        raise _api_error(refused) from refused
    except (HTTPError, OSError, ValueError) as broken:
        raise _unreachable(broken) from broken


def _access(kubeconfig: Mapping[str, Any]) -> tuple[str, ssl.SSLContext]:
    """Where the cluster's API is, and how to reach it. The client's own reader of kubeconfigs leaves the key in files that stay."""
    try:
        context = _named(kubeconfig, "contexts", kubeconfig["current-context"])["context"]
        cluster = _named(kubeconfig, "clusters", context["cluster"])["cluster"]
        user = _named(kubeconfig, "users", context["user"])["user"]
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.TemporaryDirectory() as private:  # the ssl module takes a key from a file only
            pem = Path(private) / "client.pem"
            pem.touch(mode=0o600)
            pem.write_bytes(b"\n".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
            tls.load_cert_chain(pem)
        return str(cluster["server"]), tls
    except (LookupError, TypeError, ValueError, ssl.SSLError) as unusable:
        why = f"Something is missing in it, or damaged: {unusable}"
        raise LabError("The lab's kubeconfig cannot be used", why=why[:300], fix="`lab start` again fetches it anew.") from unusable


def _named(kubeconfig: Mapping[str, Any], lists: str, name: str) -> Object:
    return {one["name"]: one for one in kubeconfig[lists]}[name]


def _api_error(refused: Any) -> ApiError:
    body: str | bytes = refused.body or ""
    try:
        status: Object = json.loads(body)
    except ValueError:
        status = {}
    return ApiError(int(refused.status or 0), str(status.get("reason") or refused.reason), str(status.get("message") or body[:300]))


def _unreachable(broken: Exception) -> Unreachable:
    return Unreachable(
        "The cluster's API does not answer",
        why=str(broken)[:300],
        fix="`lab status` shows the machines; `lab shell` and `systemctl status k3s` show why K3s is not serving.",
    )


def _lines(response: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(65536, decode_content=False):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
