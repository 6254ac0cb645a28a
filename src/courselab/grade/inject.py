"""Calling a checker's function with the arguments it names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from courselab.grade.authors import CheckerMistake


def call(function: Callable[..., Any], offered: Mapping[str, Any]) -> Any:
    """Call `function` with those of the `offered` values that its parameters name. Raises CheckerMistake for any other parameter."""
    wanted = parameters_of(function)
    for name, parameter in wanted.items():
        if name not in offered and parameter.default is inspect.Parameter.empty:
            raise CheckerMistake(f"{function.__name__} asks for {name!r}; it may ask for: {', '.join(offered)}")
    return function(**{name: offered[name] for name in wanted if name in offered})


@lru_cache(maxsize=1024)
def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a checker's function. Looking them up takes longer than most checks do."""
    return inspect.signature(function).parameters
