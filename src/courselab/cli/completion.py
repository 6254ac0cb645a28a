"""`lab completion`: what a shell needs to complete verbs and chapters."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion", epilog='Example:  eval "$(lab completion bash)"     lab completion fish > ~/.config/fish/completions/lab.fish')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print completion code for your shell. Put it into the shell's start file."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known")
    print(kind(ctx.find_root().command, {}, "lab", "_LAB_COMPLETE").source())
