"""The noise that Multipass prints to standard output while it works, terminal or not."""

from __future__ import annotations

import sys

CLEAR = "\x1b[2K\x1b[0A\x1b[0E"


def spin(text: str) -> None:
    """A spinner that turned a few times."""
    sys.stdout.write(f"{CLEAR}{text}  \b/\b-\b\\\b|\b {CLEAR}")
    sys.stdout.flush()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
