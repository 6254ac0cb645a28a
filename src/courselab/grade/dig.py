"""Reading nested values of objects that may lack any part: what is absent, null or of another type reads as empty."""

from __future__ import annotations

from typing import Any, cast

Obj = dict[str, Any]


def dig(value: Any, *keys: str) -> Any:
    """The value at the end of the way, or None."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = cast("Obj", value).get(key)
    return value


def table(value: Any, *keys: str) -> Obj:
    """The dict at the end of the way, or an empty one."""
    found = dig(value, *keys)
    return cast("Obj", found) if isinstance(found, dict) else {}


def rows(value: Any, *keys: str) -> list[Obj]:
    """The dicts of the list at the end of the way."""
    found = dig(value, *keys)
    if not isinstance(found, list):
        return []
    return [cast("Obj", item) for item in cast("list[Any]", found) if isinstance(item, dict)]


def texts(value: Any, *keys: str) -> list[str]:
    """The texts of the list at the end of the way."""
    found = dig(value, *keys)
    if not isinstance(found, list):
        return []
    return [item for item in cast("list[Any]", found) if isinstance(item, str)]


def text(value: Any, *keys: str) -> str:
    """The text at the end of the way, or ""."""
    found = dig(value, *keys)
    return found if isinstance(found, str) else ""


def number(value: Any, *keys: str) -> int:
    """The whole number at the end of the way, or 0."""
    found = dig(value, *keys)
    return found if isinstance(found, int) else 0
