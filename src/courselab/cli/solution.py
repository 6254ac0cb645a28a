"""`lab solution`: how the course solves a task, once the learner has solved it or gives up."""

from __future__ import annotations

import click

from courselab.cli.app import App, debug_option
from courselab.errors import LabError, UsageError
from courselab.session.context import params_of
from courselab.session.progress_record import ProgressRecord


@click.command("solution", epilog="Example:  lab solution deploy     lab solution deploy --give-up")
@click.argument("task")
@click.option("--lab", "chapter", metavar="NN", help="Which lab, when several run.")
@click.option("--give-up", is_flag=True, help="Show it although the task is not solved.")
@debug_option
def command(task: str, chapter: str | None, give_up: bool) -> None:
    """Show one way to solve a task. Before you have solved it, only with --give-up."""
    app = App.here()
    if "." in task and not chapter:
        chapter = task.partition(".")[0]
    lab = app.meant(chapter)
    params = params_of(lab, app.started(lab))
    wanted = lab.task(task)
    if not wanted:
        names = ", ".join(one.name for one in lab.tasks)
        raise UsageError(
            f"Lab {lab.chapter} has no task {task[:40]!r}", why=f"Its tasks are: {names}.", fix=f"lab solution {lab.tasks[0].name}"
        )
    if not give_up and not ProgressRecord(app.paths.state).solved(wanted.id):
        raise LabError(
            f"{wanted.id} is not solved yet",
            why="The solution is more use afterwards.",
            fix=f"`lab hint {wanted.name}` helps; --give-up shows it now.",
        )
    text = (lab.folder / "solution" / f"{wanted.name}.sh").read_text(encoding="utf-8")
    variables = params.environment()
    for name in sorted(variables, key=len, reverse=True):
        text = text.replace(f"${{{name}}}", variables[name]).replace(f"${name}", variables[name])
    print("\n".join(line for line in text.splitlines() if not line.startswith("#")).strip())
