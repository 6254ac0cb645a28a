"""The same for several machines, at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


def in_parallel(calls: Iterable[Callable[[], _T]]) -> list[_T]:
    """Run all calls at once; return their results in order, or raise the first failure after all have ended."""
    with ThreadPoolExecutor(thread_name_prefix="lab") as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]
