"""`lab resume`: a stopped lab runs again."""

from __future__ import annotations

import sys
import time

import click

from courselab.cli.app import App, chapter_argument, debug_option
from courselab.cli.console import seconds
from courselab.session.start import start


@click.command("resume", epilog="Example:  lab resume 02")
@chapter_argument
@debug_option
def command(chapter: str | None) -> None:
    """Start a stopped lab again, as it was."""
    began = time.monotonic()
    app = App.here()
    lab = app.meant(chapter)
    start(app.context_of(app.started(lab)), lab)
    print(f"Lab {lab.chapter} runs again, in {seconds(time.monotonic() - began)}.", file=sys.stderr)
