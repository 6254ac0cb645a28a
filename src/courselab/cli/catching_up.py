"""`--catch-up` of `lab start` and `lab reset`: what a chapter needs of earlier ones is done in its lab, said, and graded."""

from __future__ import annotations

import sys
from typing import Any

from courselab.cli.app import App
from courselab.cli.grading import experiment_lock, target_of
from courselab.course import Lab
from courselab.errors import LabError
from courselab.grade.report import Report
from courselab.grade.run import run_checks
from courselab.grade.verdict import VerdictName
from courselab.session.catch_up import Done, catch_up, forget_result, keep_result, needed_chapters
from courselab.session.context import Context


def catching_up(app: App, context: Context, lab: Lab, *, fresh: bool) -> list[dict[str, Any]]:
    """Catch up, say what was done, grade it chapter by chapter. Returns a row for each chapter; none when there was nothing to do.

    Raises LabError when a solution fails, or the checks of its chapter say that it is none.
    """
    needed = needed_chapters(app.catalog, lab)
    if not needed:
        print(f"Chapter {lab.chapter} stands alone: it needs nothing of earlier ones.", file=sys.stderr)
        return []
    done = catch_up(context, lab, needed, fresh=fresh)
    print(_said(lab, needed, done), file=sys.stderr)
    if done.how == "there":
        return []
    reports = [_graded(app, one, done) for one in needed]
    if wrong := next((report for report in reports if not report.all_passed), None):
        forget_result(context, lab)
        raise _not_solved(lab, wrong)
    if done.how == "solutions":
        keep_result(context, lab)
    return [{"chapter": report.lab, "earned": report.earned, "possible": report.possible} for report in reports]


def _said(lab: Lab, needed: list[Lab], done: Done) -> str:
    chapters = ", ".join(one.chapter for one in needed)
    if done.how == "there":
        return f"Lab {lab.chapter} has what it needs of chapter {chapters} already; nothing was changed."
    if done.how == "snapshot":
        return f"Lab {lab.chapter} was put back to {done.snapshot}, in which chapter {chapters} is solved."
    kept = f" What was in your work folder before is in {done.kept_work}." if done.kept_work else ""
    return f"The solutions of chapter {chapters} were run in lab {lab.chapter}. None of it counts as yours.{kept}"


def _graded(app: App, earlier: Lab, done: Done) -> Report:
    """One earlier chapter's verdicts in this lab; they are not written into the learner's progress."""
    lock = experiment_lock(app, done.state.chapter)
    report = run_checks(target_of(app, earlier, done.state), lock=lock, bug_folder=app.paths.state / "bugs").report
    print(f"  chapter {earlier.chapter}: {report.score}", file=sys.stderr)
    return report


def _not_solved(lab: Lab, report: Report) -> LabError:
    first = next(one for one in report.results if one.verdict is not VerdictName.PASS)
    said = first.message or f"{first.path} is {first.actual}, expected {first.expected}"
    return LabError(
        f"Catching up did not solve chapter {report.lab}",
        why=f"{first.id} {first.verdict.value}: {said[:300]}",
        fix=f"Lab {lab.chapter} runs and can be worked in. `lab reset {lab.chapter} --catch-up` tries again.",
    )
