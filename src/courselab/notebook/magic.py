"""`%lab` and `%%lab`: the verbs of the command, typed in a notebook.

`%lab check 03` checks in this process and is the cell's value. Every other verb is the command itself, run beside the notebook, with what it
says shown as it comes. `%%lab shell` runs the cell on a machine of the lab, `%%lab kubectl apply -f -` hands the cell to kubectl.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import click

from courselab.errors import LabError
from courselab.notebook.result import CheckResult

_STOP_S = 20.0
_OF_THE_CLUSTER = ("shell", "kubectl")  # their exit code is that of what ran there, and an example may well fail
_NEED_A_TERMINAL = ("shell",)
_ENDLESS = ("serve", "test")


class Shell(Protocol):
    """What we need of IPython."""

    def register_magic_function(self, func: Callable[..., Any], magic_kind: str, magic_name: str) -> None:
        """Make `%name` known."""
        ...


def register(shell: Shell) -> None:
    """Make `%lab` and `%%lab` known to a notebook."""
    shell.register_magic_function(lab, "line_cell", "lab")


def lab(line: str, cell: str | None = None) -> CheckResult | None:
    """Run one verb of `lab`. Raises IPython's UsageError, which a notebook shows in one line, when it did not work."""
    try:
        words = shlex.split(line)
    except ValueError as unclosed:
        raise _told(f"This line cannot be read: {unclosed}") from None
    words = words or ["--help"]
    verb = words[0]
    if verb == "check" and "--json" not in words and cell is None:
        return _check(words[1:])
    code = _run(*_call(words, cell))
    if code and verb not in _OF_THE_CLUSTER:
        raise _told(f"lab {verb} ended with {code}")
    if code:
        print(f"[ended with {code}]")
    return None


# IPython must not put Python's own variables for $LAB_HOST or {…}: both belong to the shell and to jsonpath.
lab._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]


def _check(words: Sequence[str]) -> CheckResult | None:
    from courselab.cli import check

    try:
        wishes = check.command.make_context("lab check", list(words)).params
        if wishes.pop("watch"):
            raise _told("lab check --watch goes on until you end it: type it in a terminal")
        return CheckResult(check.checked(lambda outcome: None, **wishes).report)
    except click.exceptions.Exit:
        return None  # --help was printed
    except click.ClickException as wrong:
        raise _told(wrong.format_message()) from None
    except LabError as failed:
        raise _told(
            "\n".join(filter(None, (f"{failed.what}.", failed.why and f"  why: {failed.why}", failed.fix and f"  fix: {failed.fix}")))
        ) from None


def _call(words: Sequence[str], cell: str | None) -> tuple[Sequence[str], str]:
    """The words of the command and its standard input."""
    verb = words[0]
    if verb in _ENDLESS:
        raise _told(f"lab {verb} goes on until you end it: type it in a terminal")
    if cell is None:
        if verb in _NEED_A_TERMINAL and "--" not in words:
            raise _told("A notebook is no terminal: write what the machine shall run in a cell that begins with %%lab shell")
        return words, ""
    if verb == "kubectl":
        return words, cell
    if verb != "shell":
        raise _told("A cell can be given to %%lab shell and to %%lab kubectl")
    _refuse_wrong_options(words[1:])
    return [*words, "--", "bash", "-elc", cell], ""


def _refuse_wrong_options(words: Sequence[str]) -> None:
    from courselab.cli.shell import command

    try:
        command.make_context("lab shell", list(words))
    except click.ClickException as wrong:
        raise _told(wrong.format_message()) from None


def _run(words: Sequence[str], given: str) -> int:
    """The command beside the notebook, its words shown as they come; the exit code. Interrupting the cell interrupts it."""
    argv = [sys.executable, "-I", "-m", "courselab", *words]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("pipes were asked for")
    try:
        try:
            process.stdin.write(given)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it does not read
        for line in process.stdout:
            print(line, end="", flush=True)
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(_STOP_S)
        process.stdout.close()


def _told(message: str) -> Exception:
    """What a notebook shows in place of a traceback."""
    from IPython.core.error import UsageError

    return UsageError(message)
