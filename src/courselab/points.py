"""How points are written: parts of one may be earned, and whole ones are numbers without a point."""

from __future__ import annotations


def plain_number(value: float) -> float | int:
    """A whole number without its ".0"."""
    return int(value) if value == int(value) else value
