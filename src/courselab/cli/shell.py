"""`lab shell`: a shell on a lab machine, as the user student."""

from __future__ import annotations

import click

from courselab.cli.app import App, debug_option, on_terminal
from courselab.process import become
from courselab.session.context import running_machine


@click.command("shell", epilog="Example:  lab shell           lab shell server -- kubectl get pods")
@click.argument("machine", required=False)
@click.argument("words", nargs=-1, metavar="[-- COMMAND …]")
@click.option("--lab", "chapter", metavar="NN", help="Which lab, when several run.")
@click.option("--root", is_flag=True, help="As root instead of student.")
@debug_option
def command(machine: str | None, words: tuple[str, ...], chapter: str | None, root: bool) -> None:
    """Open a shell on a lab machine, or run one command there. Your values are in $LAB_… variables."""
    app = App.here()
    lab = app.meant(chapter)
    state = app.started(lab)
    target = running_machine(app.context_of(state), state, machine or "")
    become(target.shell_argv(words, user="root" if root else "student", terminal=on_terminal()))
