"""Comparing a value with a pattern: what differs, where, and what was probably meant.

A pattern is a value with gaps: a dict asks only for the keys it names, a list asks only for the items it names (those with a
`name` are found by it, others match any item), a leaf is equal by meaning (courselab.grade.meaning) or is a Predicate.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from courselab.grade import redacted
from courselab.grade.authors import CheckerMistake
from courselab.grade.meaning import same_value

SHOWN_CHARACTERS = 160
SHORT_WORD = 5


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Any = _Missing()


@dataclass(frozen=True)
class Difference:
    """One place where a value is not as expected."""

    path: str  # "spec.template.spec.containers[web].image"
    expected: str
    actual: str
    note: str = ""  # what was probably meant, or how they nearly agree


@dataclass(frozen=True)
class Predicate:
    """A leaf that stands for many values. `text` reads after "expected": "at least 3"."""

    text: str
    test: Callable[[Any], bool]
    inner: Callable[[Any, str, tuple[str, ...]], list[Difference]] | None = None  # differences of its own, instead of one for all
    takes_missing: bool = False
    takes_secrets: bool = False

    def __repr__(self) -> str:
        return self.text


def differences(pattern: Any, actual: Any, path: str = "", keys: tuple[str, ...] = ()) -> list[Difference]:
    """Everything in which `actual` is not what `pattern` asks for, in the pattern's order; empty if it fits."""
    if isinstance(pattern, Predicate):
        return _by_predicate(pattern, actual, path, keys)
    if redacted.is_redacted(actual) or isinstance(pattern, redacted.SecretText) or redacted.is_redacted(pattern):
        return _by_hash(pattern, actual, path)
    if isinstance(pattern, dict) and isinstance(actual, dict):
        return _dicts(cast("dict[str, Any]", pattern), cast("dict[str, Any]", actual), path, keys)
    if isinstance(pattern, (list, tuple)) and isinstance(actual, list):
        return _lists(cast("Sequence[Any]", pattern), cast("list[Any]", actual), path, keys)
    if not isinstance(pattern, (dict, list)) and same_value(pattern, actual, keys):
        return []
    return [Difference(path, show(pattern), show(actual))]


def _by_predicate(pattern: Predicate, actual: Any, path: str, keys: tuple[str, ...]) -> list[Difference]:
    if actual is MISSING and not pattern.takes_missing:
        return [Difference(path, pattern.text, "missing")]
    if redacted.is_redacted(actual) and not pattern.takes_secrets:
        raise CheckerMistake(f"{path} is a secret value: it can be compared whole, or with ANY, but not with {pattern.text!r}")
    if pattern.inner is not None and actual is not MISSING:
        return pattern.inner(actual, path, keys)
    return [] if pattern.test(actual) else [Difference(path, pattern.text, show(actual))]


def _by_hash(pattern: Any, actual: Any, path: str) -> list[Difference]:
    if isinstance(pattern, (dict, list)) and not redacted.is_redacted(pattern):
        return [Difference(path, show(cast("Any", pattern)), show(actual))]
    if actual is MISSING:
        return [Difference(path, show(pattern), "missing")]
    result = redacted.compare(pattern, actual)
    shown = show(actual)
    return [] if result.equal else [Difference(path, "the value from the task", f"another value ({shown})", result.note)]


def _dicts(pattern: dict[str, Any], actual: dict[str, Any], path: str, keys: tuple[str, ...]) -> list[Difference]:
    found: list[Difference] = []
    for key, wanted in pattern.items():
        below = join(path, key)
        if key in actual:
            found += differences(wanted, actual[key], below, (*keys, key))
        elif isinstance(wanted, Predicate) and wanted.takes_missing:
            found += differences(wanted, MISSING, below, (*keys, key))
        else:
            found.append(_missing_key(key, wanted, actual, below, pattern))
    return found


def _missing_key(key: str, wanted: Any, actual: dict[str, Any], path: str, pattern: dict[str, Any]) -> Difference:
    # What Kubernetes writes has no slips of the pen.
    near = "" if path.partition(".")[0] == "status" else nearest(key, [other for other in actual if other not in pattern])
    return Difference(path, show(wanted), "missing", f"there is {near!r}: is that a slip of the pen?" if near else "")


def _lists(pattern: Sequence[Any], actual: list[Any], path: str, keys: tuple[str, ...]) -> list[Difference]:
    found: list[Difference] = []
    for wanted in pattern:
        name = cast("dict[str, Any]", wanted).get("name") if isinstance(wanted, dict) else None
        if isinstance(name, str):
            found += _named_item(cast("dict[str, Any]", wanted), name, actual, path, keys)
        else:
            found += _any_item(wanted, actual, path, keys)
    return found


def _named_item(wanted: dict[str, Any], name: str, actual: list[Any], path: str, keys: tuple[str, ...]) -> list[Difference]:
    items = [cast("dict[str, Any]", item) for item in actual if isinstance(item, dict)]
    for item in items:
        if item.get("name") == name:
            return differences(wanted, item, f"{path}[{name}]", keys)
    names = [str(item["name"]) for item in items if "name" in item]
    near = nearest(name, names)
    note = f"there is {near!r}: is that a slip of the pen?" if near else ""
    return [Difference(path, f"one named {name!r}", f"named {', '.join(map(repr, names))}" if names else "none", note)]


def _any_item(wanted: Any, actual: list[Any], path: str, keys: tuple[str, ...]) -> list[Difference]:
    best: list[Difference] | None = None
    for place, item in enumerate(actual):
        found = differences(wanted, item, f"{path}[{_label(item, place)}]", keys)
        if not found:
            return []
        if isinstance(wanted, dict) and (best is None or len(found) < len(best)):
            best = found
    if (best and len(best) < len(cast("dict[str, Any]", wanted))) or (best and len(actual) == 1):
        return best  # one item fits in part: say what is wrong with it
    return [Difference(path, f"one that is {show(wanted)}", show(actual) if actual else "an empty list")]


def _label(item: Any, place: int) -> str:
    name = cast("dict[str, Any]", item).get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else str(place)


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice that `word` was probably meant to be, or ""."""
    by_lower = {choice.lower(): choice for choice in choices}
    cutoff = 0.65 if len(word) <= SHORT_WORD else 0.75  # two letters swapped weigh more in a short word
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else ""


def join(path: str, key: str) -> str:
    """The path of `key` below `path`; keys that are no plain word are put in brackets."""
    if key.replace("_", "").replace("-", "").isalnum():
        return f"{path}.{key}" if path else key
    return f'{path}["{key}"]'


def show(value: Any) -> str:
    """A value as a learner reads it in one line, cut to a sane length; secrets as their description."""
    if value is MISSING:
        return "missing"
    if isinstance(value, str) and not isinstance(value, redacted.SecretText):
        text = value if value and value == value.strip() and "\n" not in value else json.dumps(value, ensure_ascii=False)
    elif isinstance(value, (dict, list, tuple)):
        text = json.dumps(_plain(value), ensure_ascii=False, default=str)
    elif value is None:
        text = "nothing"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def _plain(value: Any) -> Any:
    if redacted.is_redacted(value):
        return redacted.describe(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value
