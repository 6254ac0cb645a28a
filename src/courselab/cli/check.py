"""`lab check`: what is right, what is not yet, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from courselab.cli.app import App, chapter_argument, debug_option, json_option
from courselab.cli.failure import clean
from courselab.cli.grading import ExperimentResults, experiment_lock, target_of
from courselab.course import Lab
from courselab.errors import UsageError
from courselab.grade.checker import checker_path, load_checker
from courselab.grade.evidence import load, save
from courselab.grade.run import Outcome, Progress, judge_saved, run_checks
from courselab.session import snapshots
from courselab.session.progress_record import ProgressRecord


@click.command("check", epilog="Example:  lab check        lab check --watch        lab check 02 --json")
@chapter_argument
@json_option
@click.option("--watch", is_flag=True, help="Go on, and show each change at once. Keys: h hint, r full check, q quit.")
@click.option("--no-wait", is_flag=True, help="Judge at once, even what is still settling.")
@click.option("--no-disturb", is_flag=True, help="Leave out experiments that change the lab for a moment.")
@click.option("--save-evidence", metavar="FILE", type=click.Path(dir_okay=False), help="Keep what was seen, to judge it again later.")
@click.option("--evidence", metavar="FILE", type=click.Path(dir_okay=False), help="Judge kept evidence instead of the running lab.")
@debug_option
def command(*, chapter: str | None, as_json: bool, watch: bool, **asked: Any) -> int:
    """Check a lab: each task's verdict, your points, and for what is not right yet the reason and where to look."""
    if watch:
        return _watch(chapter, as_json=as_json, **asked)
    return checked(partial(_show, as_json=as_json), chapter=chapter, as_json=as_json, **asked).report.exit_code


def _watch(chapter: str | None, *, as_json: bool, no_wait: bool, no_disturb: bool, save_evidence: str | None, evidence: str | None) -> int:
    if evidence is not None or save_evidence is not None or no_wait:
        raise UsageError("A watch has no end to wait for or to keep", why="--watch goes with --json only.", fix="lab check --watch")
    from courselab.cli.watching import watch_lab

    app = App.here()
    return watch_lab(app, app.meant(chapter, say=not as_json), as_json=as_json)


def checked(
    show: Callable[[Outcome], None],
    *,
    chapter: str | None,
    as_json: bool,
    no_wait: bool,
    no_disturb: bool,
    save_evidence: str | None,
    evidence: str | None,
) -> Outcome:
    """What the command does; a notebook does the same and shows it otherwise. Shown before anything is written, so that it is not lost."""
    app = App.here()
    lab = None if evidence is not None else app.meant(chapter, say=not as_json)
    outcome = _check(app, lab, wait=not no_wait, disturb=not no_disturb) if lab else _judge_kept(app, chapter, Path(evidence or ""))
    show(outcome)
    if lab:
        ProgressRecord(app.paths.state).add_attempt(outcome.report.to_json())
        app.store.touch(lab.chapter)
    if save_evidence is not None:  # after what was reached is kept: the file may be one that cannot be written
        save(outcome.evidence, Path(save_evidence))
    if lab and outcome.report.all_passed:
        _keep_completed(app, lab)
    return outcome


def _keep_completed(app: App, lab: Lab) -> None:
    state = app.started(lab)
    sys.stdout.flush()  # the verdict is read while the lab is kept
    taken = snapshots.take_completed(app.context_of(state), lab, state)
    if taken and sys.stderr.isatty():
        print(f"Kept as it is now: `lab restore {taken.name}` brings it back.", file=sys.stderr)


def _check(app: App, lab: Lab, *, wait: bool, disturb: bool) -> Outcome:
    state = app.started(lab)
    folder = app.store.folder(lab.chapter)
    waiting = _Waiting()
    try:
        return run_checks(
            target_of(app, lab, state),
            wait=wait,
            disturb=disturb,
            cache=ExperimentResults(folder / "experiments.json"),
            lock=experiment_lock(app, lab.chapter),
            bug_folder=app.paths.state / "bugs",
            on_update=waiting.show,
        )
    finally:
        waiting.clear()


def _judge_kept(app: App, chapter: str | None, path: Path) -> Outcome:
    kept = load(path)
    lab = app.catalog.find(chapter or kept.lab)
    if lab.chapter != kept.lab:
        raise UsageError(
            f"{path.name} is not of lab {lab.chapter}", why=f"It was kept from lab {kept.lab}.", fix=f"lab check {kept.lab} --evidence …"
        )
    return judge_saved(lab, load_checker(checker_path(app.paths.course, lab.chapter), lab), kept, bug_folder=app.paths.state / "bugs")


def _show(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.report.to_json(), ensure_ascii=False))
        return
    from rich.console import Console

    from courselab.grade.render import print_report

    print_report(outcome.report, Console())


class _Waiting:
    """One line on the terminal that says what is waited for; nothing elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def show(self, progress: Progress) -> None:
        if self._terminal:
            what = f"trying: {progress.experiment}" if progress.experiment else f"waiting: {progress.waits_for}"
            print(f"\r\x1b[K{clean(what)[:100]} (up to {progress.seconds_left:.0f} s)", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
