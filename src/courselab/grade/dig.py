"""Reading nested values of objects that may lack any part: what is absent, null or of another type reads as empty.

Judging spends most of its time here: hence no helper calls and no casts, which cost as much as the work itself.
"""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]


def dig(value: Any, *keys: str) -> Any:
    """The value at the end of the way, or None."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def table(value: Any, *keys: str) -> Obj:
    """The dict at the end of the way, or an empty one."""
    found = dig(value, *keys)
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def rows(value: Any, *keys: str) -> list[Obj]:
    """The dicts of the list at the end of the way."""
    found = dig(value, *keys)
    if not isinstance(found, list):
        return []
    return [item for item in found if isinstance(item, dict)]  # pyright: ignore[reportUnknownVariableType]


def texts(value: Any, *keys: str) -> list[str]:
    """The texts of the list at the end of the way."""
    found = dig(value, *keys)
    if not isinstance(found, list):
        return []
    return [item for item in found if isinstance(item, str)]  # pyright: ignore[reportUnknownVariableType]


def text(value: Any, *keys: str) -> str:
    """The text at the end of the way, or ""."""
    for key in keys:
        if not isinstance(value, dict):
            return ""
        value = value.get(key)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value if isinstance(value, str) else ""


def number(value: Any, *keys: str) -> int:
    """The whole number at the end of the way, or 0."""
    found = dig(value, *keys)
    return found if isinstance(found, int) else 0
