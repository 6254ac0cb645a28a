"""`lab`, as a probe sees it: the live cluster and machines, every call with a deadline, and what must be put back afterwards.

@probe("02.replacement", effect="disturb", needs=["02.deploy"], objects=["Deployment/{namespace}/web"])
def replacement(lab, params):
    victim = lab.list("Pod", namespace=params.namespace, labels={"app": "web"})[0]["metadata"]["name"]
    lab.delete("Pod", victim, namespace=params.namespace)
    back = lab.wait("Pod", namespace=params.namespace, labels={"app": "web"}, timeout_s=8,
                    until=lambda pods: len([pod for pod in pods if pod["metadata"]["name"] != victim]) >= 3)
    return {"replaced": back is not None}
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from courselab.grade.authors import CheckerMistake
from courselab.grade.dig import Obj, text
from courselab.grade.http_request import ask
from courselab.grade.kinds import KNOWN, Kind, canonical
from courselab.grade.kube import Api, ApiDown, ApiRefused
from courselab.grade.pod_exec import exec_in_pod
from courselab.grade.selectors import describe, selects
from courselab.grade.world import labels_of, uid_of
from courselab.machines.base import Machine
from courselab.process import Completed

LIST_LIMIT = 1000
CLEAN_UP_S = 15.0
_MERGE = "application/merge-patch+json"


class OutOfTime(Exception):
    """A probe has used up its time, or was interrupted."""


class Lab:
    """The live lab. Objects are plain dicts, as in `cluster`."""

    def __init__(self, api: Api | None, machines: Mapping[str, Machine], *, deadline_s: float) -> None:
        self._api = api
        self._machines = machines
        self._ends = time.monotonic() + deadline_s
        self._after: list[Callable[[], Any]] = []
        self._stopped = threading.Event()

    # Objects ------------------------------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str, namespace: str = "default") -> Obj | None:
        """The object as it is now, or None."""
        found = _kind(kind)
        try:
            return _named(found, self._live().get(found.path(namespace, name), timeout_s=self._left()))
        except ApiRefused as refused:
            if refused.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | str | None = None) -> list[Obj]:
        """Objects as they are now, in all namespaces unless one is given."""
        found = _kind(kind)
        page = self._live().list(found.path(namespace), limit=LIST_LIMIT, selector=_selector(labels), timeout_s=self._left())
        return [_named(found, obj) for obj in page.items]

    def create(self, obj: Obj) -> Obj:
        """Create an object, given whole."""
        kind = _kind(text(obj, "kind"))
        self._left()
        return self._live().send("POST", kind.path(text(obj, "metadata", "namespace") or "default"), obj)

    def patch(self, kind: str, name: str, changes: Obj, namespace: str = "default") -> Obj:
        """Merge `changes` into an object (a JSON merge patch: lists are replaced whole, null removes)."""
        self._left()
        return self._live().send("PATCH", _kind(kind).path(namespace, name), changes, content_type=_MERGE)

    def delete(self, kind: str, name: str, namespace: str = "default", *, grace_s: int | None = None) -> bool:
        """Delete an object; False if there is none. `grace_s`: seconds its containers get to end, 0 for at once."""
        query = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        self._left()
        try:
            self._live().send("DELETE", _kind(kind).path(namespace, name), None, query)
        except ApiRefused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def wait(
        self,
        kind: str,
        *,
        until: Callable[[list[Obj]], Any],
        timeout_s: float,
        namespace: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | str | None = None,
    ) -> list[Obj] | None:
        """Watch objects until `until` is true of their list; returns the list, or None if it did not come true in time."""
        found = _kind(kind)
        ends = min(time.monotonic() + timeout_s, self._ends)
        while True:
            page = self._live().list(found.path(namespace), limit=LIST_LIMIT, timeout_s=self._left())
            objects = {uid_of(obj): _named(found, obj) for obj in page.items if _fits(obj, name, labels)}
            if until(list(objects.values())):
                return list(objects.values())
            left = ends - time.monotonic()
            if left <= 0:
                return None
            query = {"watch": "true", "resourceVersion": page.version, "timeoutSeconds": max(1, int(left) + 1)}
            try:
                for event in self._live().stream(found.path(namespace), query, idle_s=left, stop=self._stopped):
                    obj = _named(found, event.get("object", {}))
                    if event.get("type") == "ERROR":
                        break
                    if event.get("type") == "DELETED" or not _fits(obj, name, labels):
                        objects.pop(uid_of(obj), None)
                    else:
                        objects[uid_of(obj)] = obj
                    if until(list(objects.values())):
                        return list(objects.values())
                    if time.monotonic() >= ends:
                        return None
            except ApiDown:
                self._pause(0.2)

    # Pods ---------------------------------------------------------------------------------------------------------------------

    def logs(self, pod: str, *, namespace: str, container: str | None = None, lines: int = 100) -> str:
        """The last lines a container printed."""
        query: dict[str, Any] = {"tailLines": lines, "limitBytes": 256 * 1024}
        if container:
            query["container"] = container
        path = KNOWN["Pod"].path(namespace, pod, "log")
        return self._live().request("GET", path, query, timeout_s=self._left()).decode("utf-8", "replace")

    def exec(self, pod: str, argv: Sequence[str], *, namespace: str, container: str | None = None, timeout_s: float = 5.0) -> Completed:
        """Run a command in a container; returns its exit code and output."""
        return exec_in_pod(self._live(), namespace, pod, argv, container=container, timeout_s=min(timeout_s, self._left()))

    # Machines and requests ----------------------------------------------------------------------------------------------------

    def run(self, machine: str, argv: Sequence[str], *, timeout_s: float = 5.0, user: str = "root") -> Completed:
        """Run a command on a machine. Programs by their absolute path: the student may have changed PATH."""
        if not argv[0].startswith("/"):
            raise CheckerMistake(
                f"{argv[0]!r} is looked up in a PATH that the student may have changed: name the program with its whole path"
            )
        return self._machine(machine).run(argv, timeout_s=min(timeout_s, self._left()), user=user)

    def http(
        self, url: str, *, host: str | None = None, method: str = "GET", headers: Mapping[str, str] | None = None, timeout_s: float = 3.0
    ) -> Obj:
        """Ask an HTTP(S) server and return its answer as JSON-able values, whatever it is.

        `url`: "http://server:80/path", with a machine's name or an IP address; names are not looked up anywhere else.
        `host`: the Host header, and the name asked for in TLS. Redirects are not followed, certificates are shown and not judged.
        Returns {"status", "body" (64 KiB), "headers", "error", "certificate"}: status 0 and an error if there was no answer.
        """
        addresses = {name: machine.address for name, machine in self._machines.items()}
        return ask(url, addresses, host=host, method=method, headers=headers, timeout_s=min(timeout_s, self._left()))

    # Time and order -----------------------------------------------------------------------------------------------------------

    def on_exit(self, put_back: Callable[[], Any]) -> None:
        """Have `put_back` called when the probe ends, however it ends; the last one named is called first."""
        self._after.append(put_back)

    def sleep(self, seconds: float) -> None:
        """Let time pass, where nothing can be waited for."""
        self._pause(min(seconds, self._left()))

    def stop(self) -> None:
        """Make the probe's next call raise OutOfTime (the user has interrupted)."""
        self._stopped.set()

    def clean_up(self) -> list[BaseException]:
        """Put everything back that `on_exit` named; returns what went wrong."""
        self._stopped.clear()
        self._ends = time.monotonic() + CLEAN_UP_S
        broken: list[BaseException] = []
        while self._after:
            try:
                self._after.pop()()
            except Exception as error:
                broken.append(error)
        return broken

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0 or self._stopped.is_set():
            raise OutOfTime("the experiment has used up its time")
        return left

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)
        self._left()

    def _live(self) -> Api:
        self._left()
        if self._api is None:
            raise ApiDown("There is no cluster to ask", why="The lab has no kubeconfig.")
        return self._api

    def _machine(self, name: str) -> Machine:
        if name not in self._machines:
            raise CheckerMistake(f"no machine is called {name!r}: there is {', '.join(self._machines)}")
        return self._machines[name]


def _kind(name: str) -> Kind:
    found = KNOWN.get(canonical(name))
    if found is None:
        raise CheckerMistake(f"kind {name!r} is not known here: add it to courselab.grade.kinds")
    return found


def _named(kind: Kind, obj: Obj) -> Obj:
    return {"apiVersion": kind.api, "kind": kind.name, **obj}


def _selector(labels: Mapping[str, str] | str | None) -> str:
    return labels if isinstance(labels, str) else describe(labels) if labels else ""


def _fits(obj: Obj, name: str | None, labels: Mapping[str, str] | str | None) -> bool:
    return (name is None or text(obj, "metadata", "name") == name) and (labels is None or selects(labels, labels_of(obj)))
