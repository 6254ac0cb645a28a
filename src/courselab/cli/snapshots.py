"""`lab snapshots`: what is kept of a lab, and what it takes."""

from __future__ import annotations

import json
import sys

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option, yes_option
from courselab.cli.snapshot import to_json
from courselab.session import kept
from courselab.session.ages import age, size
from courselab.session.snapshots import measured, remove


@click.command("snapshots", epilog="Example:  lab snapshots     lab snapshots 02 --delete before-reset")
@chapter_argument
@click.option("--delete", "unwanted", metavar="NAME", help="Remove a snapshot.")
@json_option
@yes_option
@debug_option
def command(chapter: str | None, unwanted: str | None, as_json: bool, yes: bool) -> None:
    """Show the snapshots of a lab with their age and size, or remove one. Automatic ones go by themselves when there are too many."""
    app = App.here(yes=yes)
    lab = app.meant(chapter, say=not as_json)
    context = app.context_of(app.started(lab))
    if unwanted:
        one = kept.find(app.store, lab.chapter, unwanted)
        app.confirm(f"Snapshot {one.name} of lab {lab.chapter} will be gone. Go on?")
        remove(context, one)
        print(f"Snapshot {one.name} is removed.", file=sys.stderr)
        return
    found = measured(context, lab.chapter)
    if as_json:
        print(json.dumps({"schema": 1, "lab": lab.chapter, "snapshots": [to_json(one) for one in found]}))
        return
    if not found:
        print(f"Lab {lab.chapter} has no snapshot. `lab snapshot` takes one.")
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        print(f"{one.name:<{width}}  {age(one.age_s) + ' ago':<12}  {size(one.size_bytes):>8}  {one.why}")
