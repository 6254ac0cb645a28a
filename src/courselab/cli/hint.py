"""`lab hint`: one hint at a time, from a nudge to almost the solution."""

from __future__ import annotations

import json

import click

from courselab.cli.app import App, debug_option, json_option
from courselab.cli.task_words import chapter_in, find_task
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
    """Get the next hint for a task, or for the first one that has not passed. Each task has three; points are not taken away."""
    app = App.here()
    lab = app.meant(chapter_in(task, chapter), say=not as_json)
    state = app.started(lab)
    params = params_of(lab, state)
    lab = lab.mine(params)
    record = ProgressRecord(app.paths.state)
    wanted = find_task(lab, task, "hint") if task else _first_not_passed(lab, record.passing(lab.chapter, since=state.created_at))
    number = record.take_hint(wanted.id, len(wanted.hints))
    text = params.fill(wanted.hints[number - 1]).strip()
    if as_json:
        print(json.dumps({"schema": 1, "task": wanted.id, "hint": number, "of": len(wanted.hints), "text": text}, ensure_ascii=False))
        return
    print(f"{wanted.id}  hint {number} of {len(wanted.hints)}\n\n{text}")
    if number < len(wanted.hints):
        print(f"\n`lab hint {wanted.name}` again gives the next one.")


def _first_not_passed(lab: Lab, passing: set[str]) -> Task:
    for task in lab.tasks:
        if task.id not in passing:
            return task
    raise UsageError(
        "Every task has passed", why=f"Lab {lab.chapter} is done.", fix=f"A task's name after it: lab hint {lab.tasks[0].name}"
    )
