"""Noticing that something in the cluster changed, so that waiting ends as soon as there is something new to see."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Protocol

from courselab.grade.evidence import Evidence
from courselab.grade.kinds import KNOWN
from courselab.grade.kube import Access, Api
from courselab.grade.streams import Changed, Ended, Streams
from courselab.grade.target import Target

DEBOUNCE_S = 0.1


class Changes(Protocol):
    """Something that can be waited for."""

    @property
    def whole(self) -> bool:
        """Whether every change is noticed; else only time is left to wait for."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Wait until something changed, at most `timeout_s` seconds; whether it did."""
        ...

    def close(self) -> None: ...


class ClusterChanges:
    """Watches lists of a cluster from the versions at which Evidence saw them."""

    def __init__(self, target: Target, evidence: Evidence, kinds: Iterable[str]) -> None:
        self._changed = threading.Event()
        self._streams: Streams | None = None
        self.whole = target.kubeconfig is not None and evidence.cluster.reachable
        if target.kubeconfig is not None and self.whole:
            lists = {KNOWN[name]: evidence.cluster.kinds[name] for name in kinds if name in KNOWN and name in evidence.cluster.kinds}
            starts = {kind: found.version for kind, found in lists.items() if found.served}
            self._streams = Streams(Api(Access.from_kubeconfig(target.kubeconfig)), starts, self._told)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a change; those that come right behind it are taken together."""
        changed = self._changed.wait(timeout_s)
        if changed:
            time.sleep(DEBOUNCE_S)
        self._changed.clear()
        return changed

    def close(self) -> None:
        """Stop watching."""
        if self._streams:
            self._streams.close()

    def _told(self, streams: Streams, told: Changed | Ended) -> None:
        del streams
        if isinstance(told, Ended):
            self.whole = False
        self._changed.set()
