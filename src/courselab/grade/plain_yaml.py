"""YAML that anybody may have written, read without trusting it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

_MOST_VALUES = 10_000  # in one text, those that an alias repeats counted each time


class NotYaml(ValueError):
    """A text is no YAML, or none that anybody would write. `line` is where, counted from 1; 0 if that is not known."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.line = line


def read_yaml(text: str) -> Any:
    """The text as what JSON could say as well: tables by texts, lists, texts, numbers, yes, no and nothing.

    Raises NotYaml, also for more than one document. What it says quotes no value of the text, which may be a secret.
    """
    found = read_yaml_documents(text)
    if len(found) > 1:
        raise NotYaml("there is more than one document in it")
    return found[0] if found else None


def read_yaml_documents(text: str) -> list[Any]:
    """The same for a text of several documents, with `---` between them."""
    import yaml

    from courselab.safe_yaml import LOADER

    left = iter(range(_MOST_VALUES))
    try:
        return [_plain(one, left) for one in yaml.load_all(text, Loader=LOADER)]
    except yaml.YAMLError as broken:
        mark = getattr(broken, "problem_mark", None)
        raise NotYaml(next(iter(str(broken).splitlines()), "it cannot be read"), mark.line + 1 if mark else 0) from broken
    # So PyYAML, or what is done here, ends at 2026-13-45, {[]: 1}, !!bool x, !!timestamp x, a text that holds itself, 5,000 brackets.
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as broken:
        raise NotYaml(f"a value in it cannot be read ({type(broken).__name__})") from broken


def _plain(value: Any, left: Iterator[int]) -> Any:
    if next(left, None) is None:
        raise ValueError("there are too many values")
    if isinstance(value, dict):
        return {_key(key): _plain(one, left) for key, one in cast("dict[Any, Any]", value).items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(one, left) for one in cast("list[Any]", value)]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(key, default=str)
