"""`lab hint`: one hint at a time, from a nudge to almost the solution."""

from __future__ import annotations

import click

from courselab.cli.app import App, debug_option, json_option
from courselab.course import Lab, Task
from courselab.errors import UsageError
from courselab.session.context import params_of
from courselab.session.progress_record import ProgressRecord


@click.command("hint", epilog="Example:  lab hint        lab hint deploy")
@click.argument("task", required=False)
@click.option("--lab", "chapter", metavar="NN", help="Which lab, when several run.")
@json_option
@debug_option
def command(task: str | None, chapter: str | None, as_json: bool) -> None:
    """Get the next hint for a task, or for the first one you have not solved. Each task has three; points are not taken away."""
    app = App.here()
    if task and "." in task and not chapter:
        chapter = task.partition(".")[0]
    lab = app.meant(chapter, say=not as_json)
    params = params_of(lab, app.started(lab))
    record = ProgressRecord(app.paths.state)
    wanted = _find(lab, task) if task else _first_not_solved(lab, record)
    number = record.take_hint(wanted.id, len(wanted.hints))
    text = params.fill(wanted.hints[number - 1]).strip()
    if as_json:
        import json

        print(json.dumps({"schema": 1, "task": wanted.id, "hint": number, "of": len(wanted.hints), "text": text}, ensure_ascii=False))
        return
    print(f"{wanted.id}  hint {number} of {len(wanted.hints)}\n\n{text}")
    if number < len(wanted.hints):
        print(f"\n`lab hint {wanted.name}` again gives the next one.")


def _first_not_solved(lab: Lab, record: ProgressRecord) -> Task:
    for task in lab.tasks:
        if not record.solved(task.id):
            return task
    raise UsageError("Every task is solved", why=f"Lab {lab.chapter} is done.", fix=f"A task's name after it: lab hint {lab.tasks[0].name}")


def _find(lab: Lab, task: str) -> Task:
    found = lab.task(task)
    if not found:
        names = ", ".join(one.name for one in lab.tasks)
        raise UsageError(
            f"Lab {lab.chapter} has no task {task[:40]!r}", why=f"Its tasks are: {names}.", fix=f"lab hint {lab.tasks[0].name}"
        )
    return found
