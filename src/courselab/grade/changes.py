"""Noticing that something in the cluster changed, so that waiting ends as soon as there is something new to see."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Protocol

from courselab.errors import LabError
from courselab.grade.evidence import Evidence
from courselab.grade.kinds import KNOWN, Kind
from courselab.grade.kube import Access, Api, ApiDown, ApiRefused
from courselab.grade.target import Target

DEBOUNCE_S = 0.1
STREAM_S = 60
RETRY_S = 1.0


class Changes(Protocol):
    """Something that can be waited for."""

    def wait(self, timeout_s: float) -> bool:
        """Wait until something changed, at most `timeout_s` seconds; whether it did."""
        ...

    def close(self) -> None: ...


class ClusterChanges:
    """Watches lists of a cluster from the versions at which Evidence saw them. Where a watch breaks, only time is left to wait for."""

    def __init__(self, target: Target, evidence: Evidence, kinds: Iterable[str]) -> None:
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._api: Api | None = None
        if target.kubeconfig is None or not evidence.cluster.reachable:
            return
        self._api = Api(Access.from_kubeconfig(target.kubeconfig))
        for name in kinds:
            lists = evidence.cluster.kinds.get(name)
            if name in KNOWN and lists is not None and lists.served:
                threading.Thread(target=self._follow, args=(self._api, KNOWN[name], lists.version), daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a change; those that come right behind it are taken together."""
        changed = self._changed.wait(timeout_s)
        if changed:
            time.sleep(DEBOUNCE_S)
        self._changed.clear()
        return changed

    def close(self) -> None:
        """Stop watching. The threads end with their streams, at the latest after a minute, and keep no program alive."""
        self._stop.set()
        if self._api is not None:
            self._api.close()

    def _follow(self, api: Api, kind: Kind, version: str) -> None:
        while not self._stop.is_set():
            query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": STREAM_S}
            try:
                for event in api.stream(kind.path(), query, idle_s=STREAM_S + 10, stop=self._stop):
                    if event.get("type") == "ERROR":  # too old: all that is known is that there may be something new
                        self._changed.set()
                        return
                    version = str(event.get("object", {}).get("metadata", {}).get("resourceVersion") or version)
                    if event.get("type") != "BOOKMARK":
                        self._changed.set()
            except ApiRefused:
                return
            except ApiDown:
                self._changed.set()
                self._stop.wait(RETRY_S)
            except LabError:
                return
