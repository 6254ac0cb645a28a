"""Who may ask Multipass for what at the same time: its daemon does one thing after the other, and some things badly together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from courselab.machines.multipass.answers import Seen
from courselab.machines.multipass.command import Command

_AT_ONCE = 3


class Turns:
    """The first launch alone, because it fetches the image; then at most three at once. Stop, delete and snapshot one at a time."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._first = threading.Lock()
        self._launched = False
        self._alone = threading.Lock()

    @contextmanager
    def launch(self) -> Generator[None]:
        """Hold while a machine is launched."""
        with self._slots:
            with self._first:
                if not self._launched:
                    yield
                    self._launched = True
                    return
            yield

    @contextmanager
    def alone(self) -> Generator[None]:
        """Hold while a machine is stopped, deleted, kept or put back."""
        with self._alone:
            yield


class Glance:
    """What `multipass list` said last: asked again only when that is too old, so that a lab start does not ask fifty times."""

    def __init__(self, command: Command, clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._at: float | None = None

    def at(self, name: str, *, max_age_s: float = 0.0) -> Seen | None:
        """The machine as it was seen at most `max_age_s` seconds ago; None when there is none."""
        with self._lock:
            if self._at is None or self._clock() - self._at >= max_age_s:
                self._seen = self._command.list()
                self._at = self._clock()
            return self._seen.get(name)

    def forget(self) -> None:
        """Something was changed: what was seen is no longer true."""
        with self._lock:
            self._at = None
