"""Making text of strangers safe to show: control characters escaped, length bounded."""

from __future__ import annotations

import re

LINE_CHARACTERS = 400
# C0 and C1 controls, the marks that reorder or hide text on a screen, and halves of surrogate pairs.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
_PILED = re.compile(
    r"([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{2})[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def clean(text: str, limit: int = LINE_CHARACTERS) -> str:
    """One line of text that can be printed: no control characters, tabs and line ends as blanks, at most `limit` characters."""
    flat = " ".join(text.split()) if any(mark in text for mark in "\n\t\r") else text
    flat = flat[: 8 * limit]
    if flat.isascii() and flat.isprintable():  # nearly all text; looking at each character costs ten times as much
        return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
    flat = _PILED.sub(r"\1", flat)  # marks above marks above marks cover the lines around them
    safe = _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}" if ord(found[0]) < 256 else f"\\u{ord(found[0]):04x}", flat)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"
