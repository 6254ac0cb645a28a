"""`lab snapshot`: keep a lab as it is now."""

from __future__ import annotations

import json
import sys
import time

import click

from courselab.cli.app import App, debug_option, json_option
from courselab.cli.console import seconds
from courselab.session.kept import Snapshot
from courselab.session.snapshots import measured, take


@click.command("snapshot", epilog="Example:  lab snapshot     lab snapshot before-my-try     lab restore before-my-try")
@click.argument("name", required=False)
@click.option("--lab", "chapter", metavar="NN", help="Which lab, when several are started.")
@json_option
@debug_option
def command(name: str | None, chapter: str | None, as_json: bool) -> None:
    """Keep a lab as it is now: all its machines, with cluster, images and files. Your files in work/NN are no part of it."""
    began = time.monotonic()
    app = App.here()
    lab = app.meant(chapter, say=not as_json)
    state = app.started(lab)
    context = app.context_of(state)
    taken = take(context, lab, state, name=name or "")
    took = time.monotonic() - began
    taken = next((one for one in measured(context, lab.chapter) if one.name == taken.name), taken)
    if as_json:
        print(json.dumps({"schema": 1, "lab": lab.chapter, "seconds": round(took, 2), "snapshot": to_json(taken)}))
        return
    print(f"Lab {lab.chapter} is kept as {taken.name}, in {seconds(took)}. `lab restore {taken.name}` goes back to it.", file=sys.stderr)


def to_json(one: Snapshot) -> dict[str, object]:
    """One snapshot, as the verbs print it."""
    return {
        "name": one.name,
        "at": one.at,
        "why": one.why,
        "automatic": one.automatic,
        "bytes": one.size_bytes if one.size_bytes > 0 else None,
    }
