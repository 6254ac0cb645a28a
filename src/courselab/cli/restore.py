"""`lab restore`: a lab as it was when a snapshot was taken."""

from __future__ import annotations

import json
import sys
import time

import click

from courselab.cli.app import App, debug_option, json_option, yes_option
from courselab.cli.console import seconds
from courselab.errors import UsageError
from courselab.session import kept
from courselab.session.ages import age
from courselab.session.restore import restore


@click.command("restore", epilog="Example:  lab restore     (the newest snapshot)     lab restore before-my-try")
@click.argument("name", required=False)
@click.option("--lab", "chapter", metavar="NN", help="Which lab, when several are started.")
@json_option
@yes_option
@debug_option
def command(name: str | None, chapter: str | None, as_json: bool, yes: bool) -> None:
    """Put a lab back to a snapshot: machines, cluster, images. Your files in work/NN and your progress stay as they are."""
    began = time.monotonic()
    app = App.here(yes=yes)
    lab = app.meant(chapter, say=not as_json)
    state = app.started(lab)
    one = kept.find(app.store, lab.chapter, name) if name else kept.newest(app.store, lab.chapter)
    if one is None:
        raise UsageError(f"Lab {lab.chapter} has no snapshot", why="None was taken.", fix="`lab snapshot` takes one.")
    app.confirm(f"Lab {lab.chapter} goes back to {one.name}, {age(one.age_s)} ago. What was done in it since will be gone. Go on?")
    restore(app.context_of(state), lab, state, one)
    took = time.monotonic() - began
    if as_json:
        print(json.dumps({"schema": 1, "lab": lab.chapter, "snapshot": one.name, "seconds": round(took, 2)}))
        return
    print(f"Lab {lab.chapter} is as it was {age(one.age_s)} ago ({one.name}), in {seconds(took)}.", file=sys.stderr)
