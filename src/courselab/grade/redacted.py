"""Secret values in Evidence: never in clear, yet comparable.

A secret value is replaced by {"$secret": {...}}: its length and keyed hashes of four forms of it: as it is, stripped of white
space, and base64-decoded once and twice. The key ("salt") belongs to one lab and is the same for all values of it, so equal
values have equal hashes within a lab and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

MARK = "$secret"
HASH_HEX_DIGITS = 32


class SecretText(str):
    """A secret value in Evidence where text is wanted (a parameter): reads as a description, compares through its hashes."""

    redacted: dict[str, Any]

    def __new__(cls, redacted: dict[str, Any]) -> SecretText:
        made = super().__new__(cls, describe(redacted))
        made.redacted = redacted
        return made


@dataclass(frozen=True)
class Comparison:
    """Whether two values are equal; if they only nearly are, `note` says how they differ."""

    equal: bool
    note: str = ""


def redact(value: str | bytes, key: str) -> dict[str, Any]:
    """The value's place holder in Evidence; `key` is the lab's, any text."""
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    once = _decode(raw)
    twice = _decode(once) if once is not None else None
    forms = {"raw": raw, "stripped": raw.strip(), "decoded": once, "decoded2": twice}
    hashes = {name: _digest(form, key) for name, form in forms.items() if form is not None}
    return {MARK: {"salt": key, "length": len(raw), **hashes}}


def is_redacted(value: Any) -> bool:
    """Whether a value of Evidence is the place holder of a secret."""
    return isinstance(value, dict) and MARK in value


def secret_length(redacted: Mapping[str, Any]) -> int:
    """The length of the value behind a place holder, in bytes."""
    return int(redacted[MARK].get("length", 0))


def describe(redacted: Mapping[str, Any]) -> str:
    """How a secret is called in a sentence."""
    length = secret_length(redacted)
    return "an empty secret value" if length == 0 else f"a secret value of {length} bytes"


def compare(expected: Any, actual: Any) -> Comparison:
    """Compare two values at least one of which is secret (a place holder, or SecretText)."""
    wanted, found = _hashes(expected), _hashes(actual)
    if wanted is None and found is None:
        return Comparison(expected == actual)
    if wanted is None:
        wanted = _hashes_like(expected, cast("dict[str, Any]", found))
    if found is None:
        found = _hashes_like(actual, wanted)
    if wanted.get("salt") != found.get("salt"):
        return Comparison(False, "they were collected in different labs")
    return _nearest(wanted, found)


def _nearest(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Comparison:
    goal = wanted["raw"]
    if hmac.compare_digest(goal, found["raw"]):
        return Comparison(True)
    if goal == found.get("stripped"):
        return Comparison(False, "there is white space around it, often a newline at the end: `echo` adds one, `printf` does not")
    if goal == found.get("decoded"):
        return Comparison(False, "it is base64 of the right value: encoded once too often")
    if goal == found.get("decoded2"):
        return Comparison(False, "it is base64 of base64 of the right value: encoded twice too often")
    if found["raw"] == wanted.get("decoded"):
        return Comparison(False, "it was base64-decoded once too often")
    return Comparison(False)


def _hashes(value: Any) -> dict[str, Any] | None:
    if isinstance(value, SecretText):
        return value.redacted[MARK]
    return value[MARK] if is_redacted(value) else None


def _hashes_like(value: Any, other: dict[str, Any]) -> dict[str, Any]:
    text = value if isinstance(value, (str, bytes)) else str(value)
    return redact(text, other["salt"])[MARK]


def _digest(value: bytes, key: str) -> str:
    return hmac.new(key.encode(), value, hashlib.sha256).hexdigest()[:HASH_HEX_DIGITS]


def _decode(value: bytes) -> bytes | None:
    compact = b"".join(value.split())
    if not compact or len(compact) % 4:
        return None
    try:
        return base64.b64decode(compact, validate=True)
    except ValueError:
        return None
