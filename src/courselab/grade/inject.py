"""Calling a checker's function with the arguments it names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from courselab.grade.authors import CheckerMistake


def call(function: Callable[..., Any], offered: Mapping[str, Any]) -> Any:
    """Call `function` with those of the `offered` values that its parameters name. Raises CheckerMistake for any other parameter."""
    wanted = inspect.signature(function).parameters
    for name, parameter in wanted.items():
        if name not in offered and parameter.default is inspect.Parameter.empty:
            raise CheckerMistake(f"{function.__name__} asks for {name!r}; it may ask for: {', '.join(offered)}")
    return function(**{name: offered[name] for name in wanted if name in offered})
