"""`lab start`: a chapter's lab, from nothing to ready."""

from __future__ import annotations

import sys
import time

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option, on_option, yes_option
from courselab.cli.console import seconds
from courselab.cli.tasks import print_tasks
from courselab.session.context import params_of
from courselab.session.start import start


@click.command(
    "start",
    epilog="Example:  lab start 02     Running it again goes on where it stopped, or starts a lab that was stopped.",
)
@chapter_argument
@on_option
@json_option
@yes_option
@debug_option
def command(chapter: str | None, provider: str | None, as_json: bool, yes: bool) -> None:
    """Start a chapter's lab: machines, a cluster, and everything the tasks need."""
    began = time.monotonic()
    app = App.here(yes=yes)
    lab = app.meant(chapter)
    state = app.store.load(lab.chapter)
    context = app.context(app.provider(state.provider if state else provider))
    ready_at: list[float] = []
    state = start(context, lab, on_node_ready=lambda: ready_at.append(time.monotonic() - began))
    took = time.monotonic() - began
    if as_json:
        import json

        times = {"node_ready": round(ready_at[0], 2) if ready_at else None, "seconds": round(took, 2)}
        answer = {"schema": 1, "lab": lab.chapter, "k3s": {"distribution": state.distribution, "version": state.version}, **times}
        print(json.dumps(answer))
        return
    what = "K3s" if state.distribution == "k3s" else "stand-in"
    print(f"Lab {lab.chapter} is ready: {lab.title}, {what} {state.version} on {state.provider}, in {seconds(took)}.", file=sys.stderr)
    print(file=sys.stderr)
    print_tasks(lab, params_of(lab, state))
    print("\nWork in it:  lab shell     Check it:  lab check     Stuck:  lab hint")
