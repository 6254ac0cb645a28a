"""`lab test`: the tests, and what they need."""

from __future__ import annotations

import os
import sys

import click

from courselab.cli.app import App, PassThrough

_FOLDERS = ("unit", "integration", "browser")


@click.command("test", cls=PassThrough, epilog="Example:  ./lab test unit")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> None:
    """Run the tests: unit, integration, browser, or all. Other words go to pytest."""
    app = App.here(yes=True)
    tests = app.paths.course / "tests"
    wanted = [word for word in words if word in _FOLDERS] or [folder for folder in _FOLDERS if any((tests / folder).glob("test_*.py"))]
    rest = [word for word in words if word not in _FOLDERS]
    if any((tests / folder).glob("test_*.py") for folder in wanted if folder != "unit"):
        print("These tests start real machines; the first run builds everything they need.", file=sys.stderr)
    # Thousands of small ones, which wait almost half of the time; those with machines are one after the other.
    spread = ["-n", str(2 * (os.cpu_count() or 1))] if words == ("unit",) else []
    argv = [sys.executable, "-m", "pytest", *(str(tests / folder) for folder in wanted), *spread, *rest]
    os.chdir(app.paths.course)
    sys.stderr.flush()
    # pytest takes this process over: an interrupt reaches it alone, and it tidies up what its tests made.
    os.execve(sys.executable, argv, {**os.environ, "PYTHONSAFEPATH": "1"})  # noqa: S606 our own argument list
