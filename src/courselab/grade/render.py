"""The report on a terminal. Imported late: rich takes a while to load, and `--json` does not need it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from courselab.grade.report import Report, Result
from courselab.grade.verdict import VerdictName
from courselab.points import plain_number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_MARKS = {
    VerdictName.PASS: ("✓", "+", "bold green"),
    VerdictName.FAIL: ("✗", "x", "bold red"),
    VerdictName.WAITING: ("…", ".", "bold yellow"),
    VerdictName.BLOCKED: ("○", "o", "dim"),
    VerdictName.ERROR: ("!", "!", "bold magenta"),
}
_PLAIN = str.maketrans({"→": ">", "…": ".", "·": "-", "“": '"', "”": '"', "×": "x"})
_WIDEST, _NARROWEST = 100, 40
_INDENT, _LABEL = 4, 10


def print_report(report: Report, console: Console) -> None:
    """Print what was right, what was not yet and why, the score, and what to do next. Colour is the console's affair (NO_COLOR)."""
    for line in report_lines(report, console):
        console.print(line, soft_wrap=True)


def report_lines(report: Report, console: Console, before: Mapping[str, VerdictName] | None = None, *, brief: bool = False) -> list[Text]:
    """The lines of a report as they fit a console.

    `before`: verdicts of tasks that have just turned, which are marked. `brief`: only the first task that is not right is explained.
    """
    width = max(_NARROWEST, min(console.width, _WIDEST))
    return _lines(report, width, not can_print(console, "✓✗…○→“”←"), before or {}, brief=brief)


def can_print(console: Console, text: str) -> bool:
    """Whether the console's encoding has these characters."""
    try:
        text.encode(console.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _lines(report: Report, width: int, plain: bool, before: Mapping[str, VerdictName], *, brief: bool) -> list[Text]:
    ids = max((len(result.id) for result in report.results), default=0)
    lines = [_text(("bold", f"{report.lab}  {report.title}"), ("dim", f"   {report.runs_on}"), plain=plain), _text()]
    explained = 0
    for result in report.results:
        lines += _headline(result, ids, width, plain, before.get(result.id))
        explained += result.verdict in (VerdictName.FAIL, VerdictName.WAITING, VerdictName.ERROR)
        if brief and explained != 1:
            continue
        for label, said, style in details(result):
            lines += _wrapped(label, said, style, width, plain)
    lines += [_text(), _text(("bold", _score(report)), plain=plain)]
    lines += [_text(("", line), plain=plain) for line in textwrap.wrap(next_step(report), width, break_on_hyphens=False)]
    return lines


def _text(*parts: tuple[str, str], plain: bool = False) -> Text:
    from rich.text import Text

    line = Text(overflow="ignore", no_wrap=True)
    for style, said in parts:
        line.append(_ascii(said) if plain else said, style=style)
    return line


def _ascii(said: str) -> str:
    return said.translate(_PLAIN).encode("ascii", "replace").decode()


def _headline(result: Result, ids: int, width: int, plain: bool, before: VerdictName | None) -> list[Text]:
    """Mark, id, title, points, and what it was before if it has just turned; a long title goes on below itself."""
    mark, mark_plain, style = _MARKS[result.verdict]
    points = f"{plain_number(result.earned)}/{result.points}"
    was = f" ← was {_MARKS[before][1 if plain else 0]}" if before else ""
    room = max(10, width - ids - len(points) - len(was) - 5)
    first, *rest = textwrap.wrap(result.title, room, break_on_hyphens=False) or [""]
    title_style = "dim" if result.verdict is VerdictName.BLOCKED else ""
    head = [(style, mark_plain if plain else mark), ("cyan", f" {result.id:{ids}}  "), (title_style, f"{first:{room}}"), ("", f" {points}")]
    head += [("bold yellow", was.replace("←", "<-") if plain else was)] if was else []
    return [_text(*head, plain=plain), *(_text((title_style, f"{'':{ids + 4}}{line}"), plain=plain) for line in rest)]


def _wrapped(label: str, said: str, style: str, width: int, plain: bool) -> list[Text]:
    indent = _INDENT + (_LABEL if label is not NO_LABEL else 0)
    lines = textwrap.wrap(said, max(20, width - indent), break_on_hyphens=False) or [""]
    first = f"{'':{_INDENT}}{label:{_LABEL}}" if label is not NO_LABEL else f"{'':{_INDENT}}"
    head = _text(("dim", first), (style, lines[0]), plain=plain)
    return [head, *(_text((style, f"{'':{indent}}{line}"), plain=plain) for line in lines[1:])]


NO_LABEL = "(none)"  # the line starts where labels do


def details(result: Result) -> list[tuple[str, str, str]]:
    """What is told of a task that has not passed: (label, text, style). The page of `lab serve` shows the same."""
    if result.verdict is VerdictName.PASS:
        return []
    if result.verdict in (VerdictName.BLOCKED, VerdictName.ERROR):
        return [("blocked" if result.verdict is VerdictName.BLOCKED else "error", result.message, "")]
    rows = [(NO_LABEL, result.message, "bold")] if result.message and not result.plain else []
    if result.expected and result.actual != result.message:
        subject = "" if result.subject in result.message and not result.plain else result.subject
        where = ", ".join(filter(None, (subject, result.path)))
        rows += [("expected", f"{where}: {result.expected}" if where else result.expected, ""), ("actual", result.actual or "nothing", "")]
    rows += [("why" if place == 0 else "", line, "dim" if line.startswith("log: ") else "") for place, line in enumerate(result.why)]
    return [*rows, ("look at", result.next, "")] if result.next else rows


def _score(report: Report) -> str:
    undecided = f", {report.undecided} could not be judged" if report.undecided else ""
    return f"{report.score}{undecided}"


def next_step(report: Report) -> str:
    """What to do now, in a sentence or two."""
    if report.all_passed:
        return "All done. `lab list` shows the next chapter."
    first = next((result for result in report.results if result.verdict in (VerdictName.FAIL, VerdictName.WAITING)), None)
    blocked = next((result for result in report.results if result.verdict is VerdictName.BLOCKED), None)
    if first is None and blocked and not report.undecided:  # what it needs has passed, so it is an experiment that was left out
        return f"Next: {blocked.id}. `lab check` in a terminal makes the experiment that it needs."
    if first is None:
        return "Nothing of this is your fault. `lab status` shows what does not answer, `lab doctor` what to do about it."
    return f"Next: {first.id}. `lab hint {first.id}` helps, `lab tasks` tells what to reach."
