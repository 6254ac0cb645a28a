"""`lab reset`: the lab as it was in the beginning."""

from __future__ import annotations

import sys
import time

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option, yes_option
from courselab.cli.catching_up import catching_up
from courselab.cli.console import seconds
from courselab.session.reset import reset


@click.command("reset", epilog="Example:  lab reset 02")
@chapter_argument
@click.option("--catch-up", is_flag=True, help="Then solve in it what the chapter builds on, or take that from a snapshot.")
@json_option
@yes_option
@debug_option
def command(*, chapter: str | None, catch_up: bool, as_json: bool, yes: bool) -> None:
    """Make a lab's machines and cluster anew. Your files in work/NN, your values and your progress stay."""
    began = time.monotonic()
    app = App.here(yes=yes)
    lab = app.meant(chapter)
    state = app.started(lab)
    app.confirm(f"Everything in the cluster of lab {lab.chapter} will be gone. Go on?")
    ready_at: list[float] = []
    context = app.context_of(state)
    reset(context, lab, state, on_node_ready=lambda: ready_at.append(time.monotonic() - began))
    caught_up = catching_up(app, context, lab, fresh=True) if catch_up else []
    took = time.monotonic() - began
    if as_json:
        import json

        ready = round(ready_at[0], 2) if ready_at else None
        answer = {"schema": 1, "lab": lab.chapter, "node_ready": ready, "seconds": round(took, 2)}
        print(json.dumps(answer | ({"caught_up": caught_up} if catch_up else {})))
    print(f"Lab {lab.chapter} is as it was in the beginning{', and caught up' if caught_up else ''}, in {seconds(took)}.", file=sys.stderr)
