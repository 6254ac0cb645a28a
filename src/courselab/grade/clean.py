"""Making text of strangers safe to show: control characters escaped, length bounded."""

from __future__ import annotations

import re

LINE_CHARACTERS = 400
# C0 and C1 controls, and the marks that reorder text on a screen.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]|[\ud800-\udfff]")


def clean(text: str, limit: int = LINE_CHARACTERS) -> str:
    """One line of text that can be printed: no control characters, tabs and line ends as blanks, at most `limit` characters."""
    flat = " ".join(text.split()) if any(mark in text for mark in "\n\t\r") else text
    safe = _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}" if ord(found[0]) < 256 else f"\\u{ord(found[0]):04x}", flat)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"
