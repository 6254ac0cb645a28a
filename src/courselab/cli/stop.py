"""`lab stop`: shut a lab down, keep everything."""

from __future__ import annotations

import sys

import click

from courselab.cli.app import App, chapter_argument, debug_option
from courselab.session.end import stop


@click.command("stop", epilog="Example:  lab stop 02     and later:  lab resume 02")
@chapter_argument
@debug_option
def command(chapter: str | None) -> None:
    """Shut the lab's machines down. Everything in them stays for `lab resume`."""
    app = App.here()
    lab = app.meant(chapter)
    state = app.started(lab)
    stop(app.context_of(state), state, lab)
    print(f"Lab {lab.chapter} is stopped. `lab resume {lab.chapter}` starts it again.", file=sys.stderr)
