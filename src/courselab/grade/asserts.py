"""Explaining a plain `assert` that failed: what its parts were.

The parts are computed once more in the frame where it failed. That is safe because a check only reads frozen Evidence.
"""

from __future__ import annotations

import ast
import linecache
from types import FrameType, TracebackType
from typing import Any

from courselab.grade.authors import Failure
from courselab.grade.match import SHOWN_CHARACTERS, show

_PARTS_SHOWN = 4
_TELLING = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.BinOp)
_ASKED: dict[type[ast.cmpop], str] = {
    ast.Eq: "",
    ast.NotEq: "anything but ",
    ast.Lt: "less than ",
    ast.LtE: "at most ",
    ast.Gt: "more than ",
    ast.GtE: "at least ",
    ast.In: "one of ",
}


def failure_of(error: AssertionError) -> Failure:
    """The same failure with expected and actual, as far as they can be told."""
    frame, line = _where(error.__traceback__)
    statement = _assert_at(frame, line) if frame else None
    if frame is None or statement is None:
        return Failure(str(error) or "the assertion does not hold")
    expected, actual = _explain(statement.test, frame)
    message = str(error) if statement.msg is not None else ""
    return Failure(message or f"expected {expected}" + (f", found {actual}" if actual else ""), expected=expected, actual=actual)


def _where(trace: TracebackType | None) -> tuple[FrameType | None, int]:
    """The innermost frame, which is where the assert stands."""
    frame, line = None, 0
    while trace is not None:
        frame, line, trace = trace.tb_frame, trace.tb_lineno, trace.tb_next
    return frame, line


def _assert_at(frame: FrameType, line: int) -> ast.Assert | None:
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or node.lineno)]
    return found[-1] if found else None


def _explain(test: ast.expr, frame: FrameType) -> tuple[str, str]:
    """What was expected, and what was found."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _ASKED:
        left, right = test.left, test.comparators[0]
        right_value = _value(right, frame)
        wanted = show(right_value[0]) if right_value else ast.unparse(right)
        found = _value(left, frame)
        expected = f"{_short(ast.unparse(left))}: {_ASKED[type(test.ops[0])]}{wanted}"
        return expected, show(found[0]) if found else ""
    parts: list[str] = []
    for node in ast.walk(test):
        if isinstance(node, _TELLING) and len(parts) < _PARTS_SHOWN:
            found = _value(node, frame)
            if found and not callable(found[0]):
                parts.append(f"{_short(ast.unparse(node))} = {show(found[0])}")
    return _short(ast.unparse(test)), "; ".join(dict.fromkeys(parts))


def _value(node: ast.expr, frame: FrameType) -> tuple[Any] | None:
    """The value of an expression in the frame; None if it cannot be computed."""
    try:
        code = compile(ast.fix_missing_locations(ast.Expression(node)), frame.f_code.co_filename, "eval")
        # One namespace for both, or comprehensions would not see the function's variables.
        return (eval(code, {**frame.f_globals, **frame.f_locals}),)  # noqa: S307 the course's own code, run a moment ago
    except Exception:
        return None


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
