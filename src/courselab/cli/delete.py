"""`lab delete`: remove labs; the learner's files stay."""

from __future__ import annotations

import sys

import click

from courselab.cli.app import App, chapter_argument, debug_option, yes_option
from courselab.errors import LabError, UsageError
from courselab.machines import Provider
from courselab.machines.choose import providers
from courselab.session.context import Context
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
    # A lab may be of a chapter that this course does not have any more.
    number = chapter if chapter and chapter in app.store.chapters() else app.meant(chapter).chapter
    app.journal.open(app.paths.logs, number)
    app.confirm(f"The machines of lab {number} and everything in them will be gone. Go on?")
    for context in _contexts_of(app, [number]):
        delete(context, number)
    print(f"Lab {number} is deleted. Your files are still in {app.paths.work / number}.", file=sys.stderr)


def _contexts_of(app: App, chapters: list[str]) -> list[Context]:
    """The provider that has the machines of these labs: of one whose state cannot be read that may be any; where nothing is known, the usual."""
    wanted: set[str] = set()
    for chapter in chapters:
        try:
            state = app.store.load(chapter)
        except LabError:
            makers = providers(app.paths, app.progress, ask=app.agree)
            wanted |= {name for name, make in makers.items() if make().available().usable}
        else:
            wanted |= {state.provider} if state else set()
    return [app.context(_provider(app, name)) for name in sorted(wanted or {""})]


def _provider(app: App, name: str) -> Provider:
    try:
        return app.provider(name)
    except LabError as unusable:
        left = [chapter for chapter in app.store.chapters() if _is_of(app, chapter, name)]
        if left:  # Multipass was removed from this computer, say
            folders = ", ".join(str(app.store.folder(chapter)) for chapter in left)
            unusable.fix = f"{unusable.fix.rstrip('.')}. If {name} is gone for good, with its machines, remove {folders}."
        raise


def _is_of(app: App, chapter: str, provider: str) -> bool:
    try:
        state = app.store.load(chapter)
    except LabError:
        return False
    return state is not None and state.provider == provider


def _delete_all(app: App) -> None:
    states = app.store.chapters()
    contexts = _contexts_of(app, states)
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
