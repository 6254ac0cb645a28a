"""What the page is told: named parts of one state, and everybody who wants to know when a part changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

Part = dict[str, Any]


class Hub:
    """Parts by name ("lab/03", "job"), each with the version at which it changed last. Many threads may use it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._parts: dict[str, tuple[int, Any]] = {}
        self._version = 0
        self._listeners = 0
        self._left_at = time.monotonic()
        self.on_listener: Callable[[], None] = lambda: None

    def put(self, name: str, value: Any) -> None:
        """Set a part; None removes it. Nobody is told if it is the same as before."""
        with self._changed:
            if self._parts.get(name, (0, None))[1] == value:
                return
            self._version += 1
            self._parts[name] = (self._version, value)
            self._changed.notify_all()

    def since(self, version: int) -> tuple[int, Part]:
        """The version now, and the parts that changed after `version`; a part that was removed is None.

        All of them if `version` is still to come: whoever has it has it of a `lab serve` before this one.
        """
        with self._changed:
            return self._version, self._after(version if version <= self._version else 0)

    def wait(self, version: int, timeout_s: float) -> tuple[int, Part]:
        """The same, as soon as there is something; after `timeout_s` seconds without parts."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version, timeout_s)
            return self._version, self._after(version)

    def _after(self, version: int) -> Part:
        return {name: value for name, (at, value) in self._parts.items() if at > version and (version or value is not None)}

    @contextmanager
    def listening(self) -> Generator[None]:
        """Count a listener for as long as the block runs."""
        with self._changed:
            self._listeners += 1
        self.on_listener()
        try:
            yield
        finally:
            with self._changed:
                self._listeners -= 1
                self._left_at = time.monotonic()

    def heard(self) -> None:
        """Somebody has asked once, without listening on."""
        with self._changed:
            self._left_at = time.monotonic()
        self.on_listener()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        with self._changed:
            return self._listeners

    def quiet_for(self) -> float:
        """For how many seconds nobody has listened or asked; 0 while somebody listens."""
        with self._changed:
            return 0.0 if self._listeners else time.monotonic() - self._left_at
