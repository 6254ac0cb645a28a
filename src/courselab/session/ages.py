"""How long ago, and how much, as people say it."""

from __future__ import annotations


def age(seconds: float) -> str:
    """ "40 s", "12 min", "3 hours", "2 days"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def size(count: int) -> str:
    """ "640 MiB", "1.2 GiB"; "" where it is not known."""
    if count <= 0:
        return ""
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"
