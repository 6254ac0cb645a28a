"""Doing several things at the same time, in threads that do not keep a program alive that the user has interrupted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """A call under way in a thread of its own."""

    def __init__(self, call: Callable[[], T], name: str = "") -> None:
        self._done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
        self._outcome: tuple[T | None, BaseException | None] | None = None
        self._call = call
        threading.Thread(target=self._run, name=name or None, daemon=True).start()

    def _run(self) -> None:
        try:
            self._done.put((self._call(), None))
        except BaseException as error:  # handed to whoever waits
            self._done.put((None, error))

    def result(self, timeout_s: float | None = None) -> T:
        """What the call returned, or raises what it raised. Raises TimeoutError if it has not ended after `timeout_s` seconds."""
        if self._outcome is None:
            try:
                self._outcome = self._done.get(timeout=timeout_s)
            except queue.Empty:
                raise TimeoutError from None
        value, error = self._outcome
        if error is not None:
            raise error
        return value  # type: ignore[return-value]


def together(calls: Sequence[Callable[[], T]], *, at_once: int) -> list[T]:
    """The results of all calls, in their order; at most `at_once` run at a time. Raises what the first failing call raised."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for place in range(len(calls)):
        waiting.put(place)
    results: dict[int, Any] = {}

    def work() -> None:
        while True:
            try:
                place = waiting.get_nowait()
            except queue.Empty:
                return
            results[place] = calls[place]()

    for worker in [Later(work) for _ in range(min(at_once, len(calls)))]:
        worker.result()
    return [results[place] for place in range(len(calls))]
