"""How a command of the stand-in ends when it fails: exit code and what goes to standard error."""

from __future__ import annotations


class Failed(Exception):
    """`code`: 1 for usage, 2 for a command that failed, 5 for a launch that took the client too long."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def failed(verb: str, text: str) -> Failed:
    return Failed(f"{verb} failed: {text}")


def several(verb: str, *texts: str) -> Failed:
    return Failed(f"{verb} failed: The following errors occurred:\n" + "\n".join(texts))
