"""`expect(value).matches(pattern)`: the assertion that explains itself, and the predicates that may stand in a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from courselab.grade.authors import CheckerMistake, Failure
from courselab.grade.match import MISSING, Difference, Predicate, differences, nearest, show
from courselab.grade.meaning import parse_duration, parse_quantity, same_image
from courselab.grade.redacted import is_redacted, secret_length

_STEP = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([^\]]*)\]")


class Expectation:
    """A value that something is expected of."""

    def __init__(self, actual: Any, message: str = "", *, about: Any = None, next: str = "", path: str = "") -> None:
        self._actual = actual
        self._message = message
        self._about = about
        self._next = next
        self._path = path

    def at(self, path: str) -> Expectation:
        """The part of the value at `path`: `spec.template.spec.containers[web].image`, `rules[0]`, `env[name=MODE].value`,
        `metadata.labels["app.kubernetes.io/name"]`. Raises Failure if there is nothing.
        """
        value, way = self._actual, self._path
        for step, bracket in _steps(path):
            below, key = _step_into(value, step, bracket)
            shown = f"{way}[{key}]" if bracket else (f"{way}.{key}" if way else key)
            if below is MISSING:
                learners = isinstance(value, dict) and shown.partition(".")[0] != "status"
                near = nearest(key, cast("dict[str, Any]", value)) if learners else ""
                note = f" (there is {near!r}: is that a slip of the pen?)" if near else ""
                raise self._failure([Difference(shown, "something there", f"missing{note}")])
            value, way = below, shown
        return Expectation(value, self._message, about=self._about or self._as_object(), next=self._next, path=way)

    def matches(self, pattern: Any) -> None:
        """Raise Failure with path, expected and actual unless the value fits the pattern (see courselab.grade.match)."""
        found = differences(pattern, self._actual, self._path, _keys_of(self._path))
        if found:
            raise self._failure(found)

    def _failure(self, found: list[Difference]) -> Failure:
        first = found[0]
        note = f" ({first.note})" if first.note else ""
        where = f"{first.path}: " if first.path else ""
        more = f"; {len(found) - 1} more differ" if len(found) > 1 else ""
        return Failure(
            self._message,
            expected=first.expected,
            actual=f"{first.actual}{note}",
            path=first.path,
            about=self._about or self._as_object(),
            next=self._next,
            told=f"{self._name()}{where}expected {first.expected}, found {first.actual}{note}{more}",
        )

    def _as_object(self) -> Any:
        return self._actual if _is_object(self._actual) else None

    def _name(self) -> str:
        subject = self._about or self._as_object()
        if not _is_object(subject):
            return ""
        return f"{subject['kind']} {subject['metadata'].get('name', '')}: "


def expect(actual: Any, message: str = "", *, about: Any = None, next: str = "") -> Expectation:
    """Start an expectation. `message`: the sentence for the learner, else it is made from what differs.

    `about`: the object whose state explains a failure (an object given as `actual` is it by itself).
    """
    return Expectation(actual, message, about=about, next=next)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and "kind" in value and isinstance(cast("dict[str, Any]", value).get("metadata"), dict)


def _steps(path: str) -> list[tuple[str, bool]]:
    steps: list[tuple[str, bool]] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if not found:
            raise CheckerMistake(f"{path!r} is not a path: it goes wrong at {path[at:]!r}")
        steps.append((found[1] or (found[2] or "").strip("\"'"), found[1] is None))
        at = found.end()
    return steps


def _step_into(value: Any, step: str, bracket: bool) -> tuple[Any, str]:
    """The value one step down and how the step is called; MISSING if there is none."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).get(step, MISSING), step
    if not isinstance(value, list) or not bracket:
        return MISSING, step
    items = cast("list[Any]", value)
    if step.lstrip("-").isdigit():
        place = int(step)
        return (items[place] if -len(items) <= place < len(items) else MISSING), step
    key, _, wanted = step.rpartition("=")
    for item in items:
        if isinstance(item, dict) and str(cast("dict[str, Any]", item).get(key or "name")) == wanted:
            return cast("Any", item), wanted
    return MISSING, wanted


def _keys_of(path: str) -> tuple[str, ...]:
    return tuple(step for step, bracket in _steps(path) if not bracket) if path else ()


# Predicates ------------------------------------------------------------------------------------------------------------------

ANY = Predicate("anything that is not empty", lambda value: value not in (None, "", [], {}), takes_secrets=True)
ABSENT = Predicate("nothing there", lambda value: value is MISSING or value is None, takes_missing=True, takes_secrets=True)


def at_least(number: float | str) -> Predicate:
    """Not less; numbers or quantities ("64Mi")."""
    return _ordered(f"at least {number}", lambda value: value >= parse_quantity(number))


def at_most(number: float | str) -> Predicate:
    """Not more; numbers or quantities."""
    return _ordered(f"at most {number}", lambda value: value <= parse_quantity(number))


def between(low: float | str, high: float | str) -> Predicate:
    """From `low` to `high`, both included; numbers or quantities."""
    lowest, highest = parse_quantity(low), parse_quantity(high)
    return _ordered(f"from {low} to {high}", lambda value: lowest <= value <= highest)


def _ordered(text: str, test: Callable[[Any], bool]) -> Predicate:
    def compare(value: Any) -> bool:
        number = parse_quantity(value)
        return number is not None and test(number)

    return Predicate(text, compare)


def quantity(value: str | float) -> Predicate:
    """Equal as a Kubernetes quantity: 100m is 0.1, 1Gi is 1024Mi."""
    return Predicate(f"{value}", lambda actual: parse_quantity(actual) is not None and parse_quantity(actual) == parse_quantity(value))


def duration(value: str | float) -> Predicate:
    """Equal as a duration: 90s is 1m30s; numbers are seconds."""
    return Predicate(f"{value}", lambda actual: parse_duration(actual) is not None and parse_duration(actual) == parse_duration(value))


def image(name: str) -> Predicate:
    """The same image: docker.io/ in front and a digest behind do not matter; a name without a tag accepts every tag."""
    return Predicate(f"image {name}", lambda actual: same_image(name, actual, any_tag=True))


def one_of(*values: Any) -> Predicate:
    """Fits one of these patterns."""
    text = " or ".join(show(value) for value in values)
    return Predicate(text, lambda actual: False, inner=lambda actual, path, keys: _first_fit(values, actual, path, keys, text))


def _first_fit(patterns: tuple[Any, ...], actual: Any, path: str, keys: tuple[str, ...], text: str) -> list[Difference]:
    if any(not differences(pattern, actual, path, keys) for pattern in patterns):
        return []
    return [Difference(path, text, show(actual))]


def all_of(*patterns: Any) -> Predicate:
    """Fits all of these patterns."""
    text = " and ".join(show(pattern) for pattern in patterns)

    def inner(actual: Any, path: str, keys: tuple[str, ...]) -> list[Difference]:
        return [difference for pattern in patterns for difference in differences(pattern, actual, path, keys)]

    return Predicate(text, lambda actual: False, inner=inner)


def not_(pattern: Any) -> Predicate:
    """Does not fit the pattern; something must be there."""
    text = f"anything but {show(pattern)}"
    return Predicate(text, lambda actual: bool(differences(pattern, actual)), takes_secrets=not isinstance(pattern, Predicate))


def contains(part: Any) -> Predicate:
    """A text that contains `part`, or a list with an item that fits it."""

    def test(actual: Any) -> bool:
        if isinstance(actual, list):
            return any(not differences(part, item) for item in cast("list[Any]", actual))
        return isinstance(actual, str) and str(part) in actual

    return Predicate(f"something that contains {show(part)}", test)


def regex(pattern: str) -> Predicate:
    """A text in which the regular expression is found."""
    compiled = re.compile(pattern)

    def test(actual: Any) -> bool:
        return isinstance(actual, (str, int, float)) and compiled.search(str(actual)) is not None

    return Predicate(f"text like {pattern}", test)


def length(pattern: Any) -> Predicate:
    """A list, dict or text (or secret) whose length fits: length(3), length(at_least(1))."""

    def size(actual: Any) -> Any:
        if is_redacted(actual):
            return secret_length(actual)
        return len(cast("list[Any]", actual)) if isinstance(actual, (list, dict, str, tuple)) else MISSING

    return Predicate(f"a length of {show(pattern)}", lambda actual: not differences(pattern, size(actual)), takes_secrets=True)


def each(pattern: Any) -> Predicate:
    """A list that is not empty and every item of which fits."""

    def inner(actual: Any, path: str, keys: tuple[str, ...]) -> list[Difference]:
        if not isinstance(actual, list) or not actual:
            return [Difference(path, f"items that are {show(pattern)}", show(actual) if actual else "an empty list")]
        items = enumerate(cast("list[Any]", actual))
        return [difference for place, item in items for difference in differences(pattern, item, f"{path}[{place}]", keys)]

    return Predicate(f"only items that are {show(pattern)}", lambda actual: False, inner=inner)


def exactly(value: Any) -> Predicate:
    """Equal with nothing beside it: no other keys, no other items; the order of items does not matter."""

    def test(actual: Any) -> bool:
        return not differences(value, actual) and not differences(actual, value) and _size(value) == _size(actual)

    return Predicate(f"exactly {show(value)}", test)


def _size(value: Any) -> int:
    if isinstance(value, (list, tuple, dict)):
        return len(cast("list[Any]", value))
    return 0


def condition(type: str, status: str = "True") -> Predicate:
    """A list of conditions in which `type` has `status`: {"status": {"conditions": condition("Available")}}."""

    def inner(actual: Any, path: str, keys: tuple[str, ...]) -> list[Difference]:
        conditions = cast("list[dict[str, Any]]", actual) if isinstance(actual, list) else []
        for item in conditions:
            if item.get("type") == type:
                if item.get("status") == status:
                    return []
                why = f" ({item['reason']}: {item.get('message', '')})" if item.get("reason") else ""
                return [Difference(f"{path}[{type}].status", status, f"{item.get('status')}{why}")]
        return [Difference(path, f"condition {type}={status}", "no such condition yet")]

    return Predicate(f"condition {type}={status}", lambda actual: False, inner=inner)


def where(test: Callable[[Any], bool], text: str) -> Predicate:
    """A predicate of your own; `text` reads after "expected"."""
    return Predicate(text, test)
