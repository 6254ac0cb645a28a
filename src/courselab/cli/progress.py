"""`lab progress`: the course at a glance, or one chapter task by task."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.course import Lab
from courselab.course.params import Params
from courselab.points import plain_number
from courselab.session.context import params_of
from courselab.session.progress_record import Attempts, Best, ProgressRecord, TaskRecord

_NEVER = Attempts(0, "", "")


@click.command("progress", epilog="Example:  lab progress     lab progress 03     lab progress --json")
@chapter_argument
@json_option
@debug_option
def command(chapter: str | None, as_json: bool) -> None:
    """Show what you have reached in each chapter, with the checks, hints and solutions it took; with NN, task by task."""
    app = App.here()
    labs = [app.catalog.find(chapter)] if chapter else app.catalog.all()
    chapters = [_chapter(app, lab) for lab in labs]
    if as_json:
        print(json.dumps({"schema": 1, "chapters": chapters}, ensure_ascii=False))
    elif chapter:
        print("\n".join(_in_full(chapters[0])))
    else:
        print("\n".join(_at_a_glance(chapters)))


def _chapter(app: App, lab: Lab) -> dict[str, Any]:
    record = ProgressRecord(app.paths.state)
    best = record.best().get(lab.chapter, Best(0, 0))
    attempts, known = record.attempts().get(lab.chapter, _NEVER), record.tasks(lab.chapter)
    state = app.store.load(lab.chapter)
    params = params_of(lab, state) if state else Params.draw(lab, app.store.student())
    return {
        "chapter": lab.chapter,
        "title": lab.title,
        "state": state.phase.value if state else "not started",
        "earned": plain_number(best.earned),
        "possible": lab.possible,
        "checks": attempts.count,
        "first": attempts.first,
        "last": attempts.last,
        "tasks": [_task(task.id, params.fill(task.title), task.points, known.get(task.id, TaskRecord())) for task in lab.tasks],
    }


def _task(id: str, title: str, points: int, known: TaskRecord) -> dict[str, Any]:
    return {
        "id": id,
        "title": title,
        "points": points,
        "verdict": known.verdict,
        "solved_at": known.solved_at,
        "hints": known.hints,
        "solution_at": known.solution_at,
        "gave_up": known.gave_up,
    }


def _at_a_glance(chapters: list[dict[str, Any]]) -> list[str]:
    width = max((len(row["title"]) for row in chapters), default=0)
    lines = [_line(row, width) for row in chapters]
    earned, possible = sum(row["earned"] for row in chapters), sum(row["possible"] for row in chapters)
    solved = sum(bool(task["solved_at"]) for row in chapters for task in row["tasks"])
    tasks = sum(len(row["tasks"]) for row in chapters)
    return [*lines, "", f"{solved} of {tasks} tasks, {plain_number(round(earned, 2))} of {possible} points."]


def _line(row: dict[str, Any], width: int) -> str:
    tasks = row["tasks"]
    bar = "".join("■" if task["solved_at"] else "◪" if task["gave_up"] else "□" for task in tasks)
    took = [_counted(row["checks"], "check"), _counted(sum(task["hints"] for task in tasks), "hint")]
    took += [_counted(sum(task["gave_up"] for task in tasks), "given up", "given up")]
    said = ", ".join(filter(None, took)) or "not begun"
    day = f", last on {_day(row['last'])}" if row["last"] else ""
    return f"{row['chapter']}  {row['title']:<{width}}  {bar:<12} {row['earned']:>4}/{row['possible']:<3} {said}{day}"


def _in_full(row: dict[str, Any]) -> list[str]:
    ids = max((len(task["id"]) for task in row["tasks"]), default=0)
    titles = max((len(task["title"]) for task in row["tasks"]), default=0)
    lines = [f"{row['chapter']}  {row['title']}   {row['earned']}/{row['possible']} points", ""]
    for task in row["tasks"]:
        notes = [f"solved on {_day(task['solved_at'])}" if task["solved_at"] else task["verdict"] or "not tried"]
        notes += ["not passing now"] if task["solved_at"] and task["verdict"] not in ("pass", "") else []
        notes += [_counted(task["hints"], "hint"), "given up" if task["gave_up"] else "solution read" if task["solution_at"] else ""]
        mark = "■" if task["solved_at"] else "◪" if task["gave_up"] else "□"
        lines.append(f"{mark} {task['id']:<{ids}}  {task['title']:<{titles}}  {', '.join(filter(None, notes))}")
    return [*lines, "", f"{_counted(row['checks'], 'check') or 'Not checked yet'}."]


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}" if number else ""


def _day(at: str) -> str:
    day = datetime.fromisoformat(at).astimezone()
    return f"{day.day} {day:%b %Y}"
