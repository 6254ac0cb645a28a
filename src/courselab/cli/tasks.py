"""`lab tasks`: what there is to do, with this student's values."""

from __future__ import annotations

import json
import shutil
import textwrap

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.course import Lab, Params
from courselab.session.context import params_of


@click.command("tasks", epilog="Example:  lab tasks 02")
@chapter_argument
@json_option
@debug_option
def command(chapter: str | None, as_json: bool) -> None:
    """Show the tasks of a lab with your own values in them."""
    app = App.here()
    lab = app.meant(chapter, say=not as_json)
    params = params_of(lab, app.started(lab))
    lab = lab.mine(params)
    if as_json:
        tasks = [{"id": t.id, "title": params.fill(t.title), "points": t.points, "text": params.fill(t.text)} for t in lab.tasks]
        print(json.dumps({"schema": 1, "lab": lab.chapter, "params": dict(params), "tasks": tasks}, ensure_ascii=False))
        return
    print_tasks(lab, params)


def print_tasks(lab: Lab, params: Params) -> None:
    """Each task: id, title, points, and its text, wrapped to the terminal."""
    width = min(100, shutil.get_terminal_size().columns)
    for task in lab.tasks:
        points = f"{task.points} point{'s' if task.points > 1 else ''}"
        print(f"{task.id}  {params.fill(task.title)}  ({points})")
        for paragraph in params.fill(task.text).strip().split("\n\n"):
            print(_wrapped(paragraph, width))
        print()
    print(f"{len(lab.tasks)} tasks, {lab.possible} points.")


def _wrapped(paragraph: str, width: int) -> str:
    """Prose is wrapped; lists and code keep their lines."""
    lines = paragraph.splitlines()
    if any(line.lstrip().startswith(("- ", "* ", "```", "1. ")) or line.startswith("    ") for line in lines):
        return textwrap.indent(paragraph, "  ")
    return textwrap.fill(
        " ".join(lines), width, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
