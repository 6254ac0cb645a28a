"""One variant of a solved lab, and how tables of them are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Variant:
    """What is changed in the solved lab, and the tasks that then do not pass (those that need them follow by themselves)."""

    name: str
    change: Callable[[Any], Any]
    wrong: frozenset[str]


def each(wrong: str, make: Callable[..., Callable[[Any], Any]], *fixed: Any, values: list[Any]) -> list[Variant]:
    """A variant per value: `make(*fixed, value)` is its change. `wrong`: the tasks in words, "" for a right answer."""
    where = " ".join(str(one) for one in fixed) or getattr(make, "__name__", "")
    return [Variant(f"{where}={_shown(value)}", make(*fixed, value), frozenset(wrong.split())) for value in values]


def one(wrong: str, name: str, change: Callable[[Any], Any]) -> Variant:
    """A single variant."""
    return Variant(name, change, frozenset(wrong.split()))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "gone" if type(value) is object else str(value)
