"""How a failure looks: what, why, what to do; each one line, nothing a cluster said can move the cursor."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

_LINE_CHARACTERS = 2000


def clean(text: str) -> str:
    """`text` without control characters: what a machine or cluster says must not reach the terminal as commands."""
    shown = text if len(text) <= _LINE_CHARACTERS else f"{text[: _LINE_CHARACTERS - 1]}…"
    return "".join(char if char.isprintable() else " " if char in "\n\r\t" else f"\\x{ord(char):02x}" for char in shown)


def show_error(what: str, why: str = "", fix: str = "", *, docs: str = "", log: str = "", detail: str = "") -> None:
    """Print the three lines on standard error, and where more is told: a page below docs/, the lab's log."""
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else ("", "")
    lines = [f"{bold}lab: {clean(what)}{'' if what.endswith('?') else '.'}{plain}"]
    lines += [f"  why: {clean(why)}"] if why else []
    lines += [f"  fix: {clean(fix)}"] if fix else []
    lines += [f"  see: docs/{docs}"] if docs else []
    lines += [f"  log: {clean(log)}"] if log else []
    lines += [detail] if detail else []
    try:
        print("\n".join(lines), file=sys.stderr)
    except OSError:
        pass  # nobody reads it


def show_bug(bug: Exception, *, debug: bool, log: str = "") -> None:
    """An exception we did not foresee: keep what helps to mend it in a file, show three lines."""
    text = "".join(traceback.format_exception(bug))
    try:
        handle, name = tempfile.mkstemp(prefix="lab-bug-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{sys.argv}\n{text}")
        where = f"What happened is kept in {name}."
    except OSError:
        where = "It could not be written to a file; --debug shows it."
    show_error(f"lab has a bug ({type(bug).__name__})", where, "Nothing of yours is lost. Please report it with that file.", log=log)
    if debug:
        print(text, file=sys.stderr)
