"""A student's own values: drawn from a seed, the same for the same seed, different for the neighbour."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from courselab.course.model import Lab, Parameter

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no letters that look alike


class Params(Mapping[str, str]):
    """Parameter values by name. Checks read them as `params["host"]` or `params.host`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def draw(cls, lab: Lab, seed: str, provider: str = "") -> Params:
        """The values of `lab`'s parameters for the student whose seed this is. `provider`: which machines are to have its tasks."""
        values: dict[str, str] = {}
        for name, parameter in lab.file.params.items():
            key = f"{seed}/{lab.chapter}/{name}"
            values[name] = (
                _draw_one(parameter, key, values) if parameter.tasks is None else _draw_tasks(lab, parameter.tasks, key, provider)
            )
        return cls(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __getattr__(self, name: str) -> str:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"this lab has no parameter {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Params({self._values})"

    def fill(self, text: str) -> str:
        """`text` with every {name} of a parameter replaced by its value; other braces stay."""
        return _PLACEHOLDER.sub(lambda found: self._values.get(found[1], found[0]), text)

    def environment(self) -> dict[str, str]:
        """The values as `LAB_NAME` variables, as commands in the course use them."""
        return {f"LAB_{name.upper()}": value for name, value in self._values.items()}


def placeholders(text: str) -> set[str]:
    """The parameter names that `text` uses."""
    return set(_PLACEHOLDER.findall(text))


def _draw_one(parameter: Parameter, key: str, drawn: Mapping[str, str]) -> str:
    if parameter.choice is not None:
        return parameter.choice[_number(key) % len(parameter.choice)]
    if parameter.number is not None:
        low, high = parameter.number
        return str(low + _number(key) % (high - low + 1))
    if parameter.token is not None:
        return "".join(_LETTERS[_number(f"{key}/{place}") % len(_LETTERS)] for place in range(parameter.token))
    return Params(drawn).fill(parameter.text or "")


def _draw_tasks(lab: Lab, count: int, key: str, provider: str) -> str:
    names = [task.name for task in lab.whole(provider).tasks]
    drawn = sorted(names, key=lambda name: _number(f"{key}/{name}"))[:count]
    return " ".join(name for name in names if name in drawn)


def _number(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
