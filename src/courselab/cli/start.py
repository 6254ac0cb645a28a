"""`lab start`: a chapter's lab, from nothing to ready."""

from __future__ import annotations

import sys
import time

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option, on_option, yes_option
from courselab.cli.catching_up import catching_up
from courselab.cli.console import seconds
from courselab.cli.tasks import print_tasks
from courselab.errors import UsageError
from courselab.session.context import params_of
from courselab.session.start import start


@click.command(
    "start",
    epilog="Example:  lab start 02     Running it again goes on where it stopped, or starts a lab that was stopped.",
)
@chapter_argument
@click.option("--catch-up", is_flag=True, help="Solve in it what the chapter needs of earlier ones.")
@on_option
@json_option
@yes_option
@debug_option
def command(*, chapter: str | None, catch_up: bool, provider: str | None, as_json: bool, yes: bool) -> None:
    """Start a chapter's lab: machines, a cluster, and everything the tasks need."""
    began = time.monotonic()
    app = App.here(yes=yes)
    lab = app.meant(chapter)
    state = app.store.load(lab.chapter)
    if state and provider not in (None, state.provider):
        raise UsageError(
            f"The machines of lab {lab.chapter} are on {state.provider}",
            why="A lab stays where it was begun.",
            fix=f"`lab delete {lab.chapter}`, then `lab start {lab.chapter} --on {provider}`; your files and your progress stay.",
        )
    context = app.context(app.provider(state.provider if state else provider))
    fresh = state is None or state.phase.value in ("starting", "resetting")
    ready_at: list[float] = []
    state = start(context, lab, on_node_ready=lambda: ready_at.append(time.monotonic() - began))
    caught_up = catching_up(app, context, lab, fresh=fresh) if catch_up else []
    took = time.monotonic() - began
    if as_json:
        import json

        times = {"node_ready": round(ready_at[0], 2) if ready_at else None, "seconds": round(took, 2)}
        answer = {"schema": 1, "lab": lab.chapter, "k3s": {"distribution": state.distribution, "version": state.version}, **times}
        answer |= {"caught_up": caught_up} if catch_up else {}
        print(json.dumps(answer))
        return
    print(f"Lab {lab.chapter} is ready: {lab.title}, {state.k3s} on {state.provider}, in {seconds(took)}.", file=sys.stderr)
    if lab.file.builds_on and not catch_up and not state.caught_up:
        words = ", ".join(lab.file.builds_on)
        print(f"`lab start {lab.chapter} --catch-up` also brings what chapter {words} ends with into it.", file=sys.stderr)
    print(file=sys.stderr)
    params = params_of(lab, state)
    print_tasks(lab.mine(params), params)
    print("\nWork in it:  lab shell     Check it:  lab check     Stuck:  lab hint")
