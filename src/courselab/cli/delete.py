"""`lab delete`: remove labs; the learner's files stay."""

from __future__ import annotations

import sys

import click

from courselab.cli.app import App, chapter_argument, debug_option, yes_option
from courselab.errors import UsageError
from courselab.session.end import delete
from courselab.verify.own_lab import leftovers, remove_leftover


@click.command("delete", epilog="Example:  lab delete 02     lab delete --all --yes")
@chapter_argument
@click.option("--all", "everything", is_flag=True, help="All labs, and whatever half-made machines are left.")
@yes_option
@debug_option
def command(chapter: str | None, everything: bool, yes: bool) -> None:
    """Remove a lab and its machines from this computer. Your files in work/NN and your progress stay."""
    app = App.here(yes=yes)
    if everything and chapter:
        raise UsageError("Either a chapter or --all", why="Both were given.", fix="lab delete --all")
    if everything:
        _delete_all(app)
        return
    lab = app.meant(chapter)
    state = app.store.load(lab.chapter)
    app.confirm(f"The machines of lab {lab.chapter} and everything in them will be gone. Go on?")
    delete(app.context(app.provider(state.provider if state else None)), lab.chapter)
    print(f"Lab {lab.chapter} is deleted. Your files are still in {app.paths.work / lab.chapter}.", file=sys.stderr)


def _delete_all(app: App) -> None:
    states = {name: app.store.load(name) for name in app.store.chapters()}
    providers = {state.provider for state in states.values() if state} or {""}
    contexts = [app.context(app.provider(name)) for name in sorted(providers)]
    labs = set(states) | {machine.spec.lab for context in contexts for machine in context.provider.list()}
    verified = leftovers(app.paths)
    if not labs and not verified:
        print("There is nothing to delete.", file=sys.stderr)
        return
    named = ", ".join([*sorted(labs), *(f"{name} (of a `lab verify` that was killed)" for name in verified)])
    app.confirm(f"All machines of the labs {named} will be gone. Go on?")
    for context in contexts:
        for name in sorted(labs):
            delete(context, name)
    for name in verified:
        remove_leftover(app.paths, name, app.progress, app.provider_at)
    print(f"Deleted: {named}. Your files in {app.paths.work} stay.", file=sys.stderr)
