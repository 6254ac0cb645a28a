"""Watches of a cluster: one stream of events per kind, each in a thread of its own that does nothing while nothing changes.

A stream that ends in time goes on from where it was. Whatever else happens to one (410, a refusal, silence, a closed connection) is
told once and ends it: whoever listens lists anew, and decides when. So nothing here can become a busy loop.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from courselab.grade.dig import Obj, table, text
from courselab.grade.kinds import Kind
from courselab.grade.kube import Api, ApiDown, ApiRefused

STREAM_S = 300  # the server ends a stream after this; half of it is random, so that they do not all begin anew at once
SILENT_S = (
    150.0  # the server sends a bookmark about every minute: https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks
)
SHORTEST_S = 1.0


@dataclass(frozen=True)
class Changed:
    """An object was added, changed or deleted."""

    kind: Kind
    type: str  # ADDED, MODIFIED, DELETED
    object: Obj


@dataclass(frozen=True)
class Ended:
    """A stream has ended before its time."""

    kind: Kind
    why: str


class Streams:
    """Watches `starts`: kinds, and the resourceVersion from which each goes on. `tell` is called from the streams' threads."""

    def __init__(self, api: Api, starts: Mapping[Kind, str], tell: Callable[[Streams, Changed | Ended], None]) -> None:
        self._api = api
        self._tell = tell
        self._stop = threading.Event()
        for kind, version in starts.items():
            threading.Thread(target=self._follow, args=(kind, version), name=f"watch-{kind.plural}", daemon=True).start()

    def close(self) -> None:
        """End all streams."""
        self._stop.set()
        self._api.close()

    def _follow(self, kind: Kind, version: str) -> None:
        why = ""
        try:
            while not why and not self._stop.is_set():
                version, why = self._one_stream(kind, version)
        except ApiRefused as refused:
            why = refused.why or refused.what
        except ApiDown as down:
            why = down.sentences
        if not self._stop.is_set():
            self._tell(self, Ended(kind, why))

    def _one_stream(self, kind: Kind, version: str) -> tuple[str, str]:
        """Follow one stream to its end; the version to go on from, and why it cannot go on."""
        began = time.monotonic()
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": random.randint(STREAM_S // 2, STREAM_S),  # noqa: S311 no secret
        }
        for event in self._api.stream(kind.path(), query, idle_s=SILENT_S, stop=self._stop):
            type_, obj = text(event, "type"), table(event, "object")
            if type_ == "ERROR":  # 410: the version is too old
                return version, text(obj, "message") or "the API told of an error"
            version = text(obj, "metadata", "resourceVersion") or version
            if type_ in ("ADDED", "MODIFIED", "DELETED"):
                self._tell(self, Changed(kind, type_, obj))
        return version, "" if time.monotonic() - began > SHORTEST_S else "the stream ended at once"
