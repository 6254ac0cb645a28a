"""Label selectors, in the three forms in which Kubernetes writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from courselab.grade.authors import CheckerMistake
from courselab.grade.dig import texts

_SET = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<way>in|notin)\s+\((?P<values>[^)]*)\)")
_TERM = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<way>==|=|!=)\s*(?P<value>[^\s,]*)|(?P<absent>!)?\s*(?P<name>[^\s!=,()]+)")


def selects(selector: Mapping[str, Any] | str | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a selector picks an object with these labels.

    A selector is {"app": "web"} as in a Service, {"matchLabels": …, "matchExpressions": …} as in a Deployment, or text as for
    `kubectl -l`: "app=web,tier!=db,env in (a, b),!old". An empty selector picks everything, None nothing.
    """
    labels = labels or {}
    if selector is None:
        return False
    if isinstance(selector, str):
        return _text(selector, labels)
    if "matchLabels" in selector or "matchExpressions" in selector:
        plain = cast("Mapping[str, str]", selector.get("matchLabels") or {})
        terms = cast("list[dict[str, Any]]", selector.get("matchExpressions") or [])
        return _all(plain, labels) and all(
            _holds(str(term.get("key")), str(term.get("operator")), texts(term, "values"), labels) for term in terms
        )
    return _all(selector, labels)


def describe(selector: Mapping[str, Any] | None) -> str:
    """A selector as `kubectl -l` writes it."""
    if not selector:
        return "(nothing)"
    full = "matchLabels" in selector or "matchExpressions" in selector
    plain = cast("Mapping[str, str]", selector.get("matchLabels") or {}) if full else selector
    parts = [f"{key}={value}" for key, value in plain.items()]
    for term in cast("list[dict[str, Any]]", selector.get("matchExpressions") or []):
        values = f" ({', '.join(texts(term, 'values'))})" if term.get("values") else ""
        parts.append(f"{term.get('key')} {term.get('operator')}{values}")
    return ",".join(parts)


def _all(wanted: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in wanted.items())


def _holds(key: str, operator: str, values: list[str], labels: Mapping[str, str]) -> bool:
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    return (key in labels) == (operator == "Exists")


def _text(selector: str, labels: Mapping[str, str]) -> bool:
    rest = selector
    for found in _SET.finditer(selector):
        values = [value.strip() for value in found["values"].split(",")]
        if not _holds(found["key"], "In" if found["way"] == "in" else "NotIn", values, labels):
            return False
        rest = rest.replace(found[0], "")
    for term in filter(None, (part.strip() for part in rest.split(","))):
        found = _TERM.fullmatch(term)
        if not found:
            raise CheckerMistake(f"{selector!r} is not a label selector: {term!r}")
        if found["name"]:
            holds = (found["name"] in labels) != bool(found["absent"])
        else:
            holds = (labels.get(found["key"]) == found["value"]) != (found["way"] == "!=")
        if not holds:
            return False
    return True
