"""A check's result as the value of a notebook's cell: text, HTML and JSON. A notebook's page shows the richest that it can."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from courselab.grade.render import NO_LABEL, details, next_step, print_report
from courselab.grade.report import Report, Result
from courselab.grade.verdict import VerdictName
from courselab.points import plain_number

JSON_TYPE = "application/vnd.courselab.check+json"
_TEXT_WIDTH = 90
# Marks, words, and colours that can be read on white and on black.
_SHOWN = {
    VerdictName.PASS: ("✓", "done", "#1f9d4d"),
    VerdictName.FAIL: ("✗", "not yet", "#e0483e"),
    VerdictName.WAITING: ("…", "settling", "#b7791f"),
    VerdictName.BLOCKED: ("○", "blocked", "#808890"),
    VerdictName.ERROR: ("!", "cannot be judged", "#b7791f"),
}


@dataclass(frozen=True, repr=False)
class CheckResult:
    """What `%lab check` gives: `passed`, `earned`, `possible`, and `report`, the document that `lab check --json` prints."""

    _report: Report

    @property
    def report(self) -> dict[str, Any]:
        """The whole report."""
        return self._report.to_json()

    @property
    def passed(self) -> bool:
        """Whether every task has passed."""
        return self._report.exit_code == 0

    @property
    def earned(self) -> float:
        """Points that are earned."""
        return self._report.earned

    @property
    def possible(self) -> int:
        """Points of the whole lab."""
        return self._report.possible

    def __repr__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        print_report(self._report, Console(file=text, width=_TEXT_WIDTH, no_color=True, force_jupyter=False, force_terminal=False))
        return text.getvalue().rstrip()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """The forms of the result, for IPython."""
        return {"text/plain": repr(self), "text/html": "".join(_html(self._report)), JSON_TYPE: self.report}


def _html(report: Report) -> Iterator[str]:
    """The report with nothing in it that could run or load: what a cluster said is escaped."""
    undecided = f", {report.undecided} could not be judged" if report.undecided else ""
    yield f'<div style="max-width: 52rem"><p><strong>{escape(f"{report.lab} {report.title}")}</strong> <small>{escape(report.runs_on)}</small></p>'
    for result in report.results:
        yield from _task(result)
    yield f"<p><strong>{report.score}</strong>{undecided}<br>{escape(next_step(report))}</p></div>"


def _task(result: Result) -> Iterator[str]:
    mark, words, colour = _SHOWN[result.verdict]
    yield (
        f'<div style="border-left: 4px solid {colour}; padding: 0.1rem 0.8rem; margin: 0.5rem 0">'
        f'<div><strong style="color: {colour}">{mark} {words}</strong> <code>{escape(result.id)}</code> {escape(result.title)} '
        f"<small>{plain_number(result.earned)} of {result.points}</small></div>"
    )
    rows = details(result)
    yield from (f"<div><strong>{escape(said)}</strong></div>" for label, said, _ in rows if label is NO_LABEL)
    labelled = [(label, said) for label, said, _ in rows if label is not NO_LABEL]
    if labelled:
        cell = 'style="text-align: left; vertical-align: top; padding: 0 0.8rem 0 0"'
        lines = (f"<tr><th {cell}><small>{escape(label)}</small></th><td {cell}>{escape(said)}</td></tr>" for label, said in labelled)
        yield f'<table style="margin: 0.2rem 0">{"".join(lines)}</table>'
    yield "</div>"
