"""`lab shell`: a shell on a lab machine, as the user student."""

from __future__ import annotations

import click

from courselab.cli.app import App, debug_option, on_terminal
from courselab.errors import UsageError
from courselab.process import become
from courselab.session.context import running_machine


class _CommandAfterDashes(click.Command):
    """What stands behind `--` is the command, also where no machine is named before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, after = (args[: args.index("--")], args[args.index("--") + 1 :]) if "--" in args else (args, [])
        rest = super().parse_args(ctx, own)
        ctx.params["words"] = (*ctx.params.get("words", ()), *after)
        return rest


@click.command(
    "shell",
    cls=_CommandAfterDashes,
    epilog="Example:  lab shell           lab shell -- kubectl get pods           lab shell edge1 --root -- systemctl status k3s-agent",
)
@click.argument("machine", required=False)
@click.argument("words", nargs=-1, metavar="[-- COMMAND …]")
@click.option("--lab", "chapter", metavar="NN", help="Which lab, when several run.")
@click.option("--root", is_flag=True, help="As root instead of student.")
@debug_option
def command(machine: str | None, words: tuple[str, ...], chapter: str | None, root: bool) -> None:
    """Open a shell on a lab machine (without a name, the first), or run one command there. Your values are in $LAB_… variables."""
    app = App.here()
    lab = app.meant(chapter)
    state = app.started(lab)
    if machine and machine not in state.machines:
        raise UsageError(
            f"Lab {lab.chapter} has no machine {machine[:40]!r}",
            why=f"Its machines are: {', '.join(state.machines)}.",
            fix="A command stands behind two dashes: lab shell -- kubectl get pods",
        )
    target = running_machine(app.context_of(state), state, machine or "")
    become(target.shell_argv(words, user="root" if root else "student", terminal=on_terminal()))
