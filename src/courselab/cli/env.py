"""`lab env`: the lab's variables for the learner's own shell."""

from __future__ import annotations

import shlex

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.session.context import params_of


@click.command("env", epilog='Example:  eval "$(lab env)"')
@chapter_argument
@json_option
@debug_option
def command(chapter: str | None, as_json: bool) -> None:
    """Print your values as LAB_… variables, and KUBECONFIG for the lab's cluster."""
    app = App.here()
    lab = app.meant(chapter, say=False)
    state = app.started(lab)
    variables = params_of(lab, state).environment() | {"LAB_CHAPTER": lab.chapter}
    kubeconfig = app.store.kubeconfig(lab.chapter)
    if kubeconfig.exists():
        variables["KUBECONFIG"] = str(kubeconfig)
    if as_json:
        import json

        print(json.dumps({"schema": 1, "lab": lab.chapter, "env": variables}))
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
