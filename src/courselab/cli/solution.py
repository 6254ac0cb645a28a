"""`lab solution`: how the course solves a task, once the learner has solved it or gives up."""

from __future__ import annotations

import json
import sys

import click

from courselab.cli.app import App, debug_option, json_option
from courselab.cli.task_words import chapter_in, find_task
from courselab.course import Lab, Task
from courselab.course.params import Params
from courselab.errors import LabError
from courselab.session import snapshots
from courselab.session.context import params_of
from courselab.session.progress_record import ProgressRecord
from courselab.session.store import LabState


@click.command("solution", epilog="Example:  lab solution deploy     lab solution deploy --give-up")
@click.argument("task")
@click.option("--lab", "chapter", metavar="NN", help="Which lab, when several run.")
@click.option("--give-up", is_flag=True, help="Show it although the task has not passed. `lab progress` notes it.")
@json_option
@debug_option
def command(task: str, chapter: str | None, give_up: bool, as_json: bool) -> None:
    """Show one way to solve a task. Before it has passed, only with --give-up."""
    app = App.here()
    lab = app.meant(chapter_in(task, chapter), say=not as_json)
    state = app.started(lab)
    params = params_of(lab, state)
    lab = lab.mine(params)
    wanted = find_task(lab, task, "solution")
    record = ProgressRecord(app.paths.state)
    solved = record.solved(wanted.id)
    if not solved and not give_up:
        raise LabError(
            f"{wanted.id} has not passed yet",
            why="The solution is more use afterwards.",
            fix=f"`lab hint {wanted.name}` helps; --give-up shows it now.",
        )
    if not solved:
        _keep_try(app, lab, state, wanted)
    shown = solution_text(lab, wanted, params)
    record.saw_solution(wanted.id, gave_up=not solved)
    if as_json:
        print(json.dumps({"schema": 1, "task": wanted.id, "gave_up": not solved, "text": shown}, ensure_ascii=False))
        return
    print(shown)
    if not solved:
        print(f"\n{wanted.id} counts as given up in `lab progress`; its points are still to be had.", file=sys.stderr)


def _keep_try(app: App, lab: Lab, state: LabState, task: Task) -> None:
    try:
        snapshots.take_before_solution(app.context_of(state), lab, state, task)
    except LabError as error:  # its machines cannot be had just now: the solution can be read all the same
        app.progress.say(f"No snapshot was taken: {error.why or error.what}")


def solution_text(lab: Lab, task: Task, params: Params) -> str:
    """The task's solution as this learner would type it: with the values filled in, without the lines for `lab verify`."""
    text = (lab.folder / "solution" / f"{task.name}.sh").read_text(encoding="utf-8")
    variables = params.environment()
    for name in sorted(variables, key=len, reverse=True):
        text = text.replace(f"${{{name}}}", variables[name]).replace(f"${name}", variables[name])
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()
