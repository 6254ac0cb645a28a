"""The report on a terminal. Imported late: rich takes a while to load, and `--json` does not need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from courselab.grade.report import Report, Result, plain_number
from courselab.grade.verdict import VerdictName

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MARKS = {
    VerdictName.PASS: ("✓", "+", "bold green"),
    VerdictName.FAIL: ("✗", "x", "bold red"),
    VerdictName.WAITING: ("…", ".", "bold yellow"),
    VerdictName.BLOCKED: ("○", "o", "dim"),
    VerdictName.ERROR: ("!", "!", "bold magenta"),
}
_WIDTH_LIMIT = 110
_LABEL_COLUMNS = 10


def print_report(report: Report, console: Console) -> None:
    """Print what was right, what was not yet and why, the score, and what to do next. Colour is the console's affair (NO_COLOR)."""
    from rich.text import Text

    width = min(console.width, _WIDTH_LIMIT)
    plain = not _can_print(console, "✓✗…○→")
    head = Text(f"{report.lab}  {report.title}", style="bold")
    head.append(f"   {report.distribution} {report.version} · {report.provider}", style="not bold dim")
    console.print(head, width=width)
    console.print()
    for result in report.results:
        console.print(_line(result, width, plain), width=width)
        if details := _details(result):
            console.print(details, width=width)
    console.print()
    console.print(_score(report), width=width)
    console.print(_next_step(report), width=width)


def _can_print(console: Console, text: str) -> bool:
    try:
        text.encode(console.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _line(result: Result, width: int, plain: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    mark, mark_plain, style = _MARKS[result.verdict]
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(width=1)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    title = Text(result.title, style="" if result.verdict is not VerdictName.BLOCKED else "dim")
    points = f"{plain_number(result.earned)}/{result.points}"
    line.add_row(Text(mark_plain if plain else mark, style=style), Text(result.id, style="cyan"), title, Text(points))
    return line


def _details(result: Result) -> Table | None:
    from rich.table import Table
    from rich.text import Text

    rows = _rows(result)
    if not rows:
        return None
    details = Table.grid(padding=(0, 1))
    details.add_column(width=2)
    details.add_column(width=_LABEL_COLUMNS, style="dim")
    details.add_column(overflow="fold")
    for label, text in rows:
        details.add_row("", label, Text(text, style="bold" if label == "" and text == result.message else ""))
    return details


def _rows(result: Result) -> list[tuple[str, str]]:
    """What is told of a task that has not passed: (label, text)."""
    if result.verdict is VerdictName.PASS:
        return []
    if result.verdict in (VerdictName.BLOCKED, VerdictName.ERROR):
        return [("blocked" if result.verdict is VerdictName.BLOCKED else "error", result.message)]
    rows = [("", result.message)] if result.message else []
    where = f"{result.path}: " if result.path else ""
    if result.expected and f"expected {result.expected}" not in result.message:
        rows.append(("expected", f"{where}{result.expected}"))
        rows.append(("actual", result.actual or "nothing"))
    rows += [("why" if place == 0 else "", line) for place, line in enumerate(result.why)]
    if result.next:
        rows.append(("look at", result.next))
    return rows


def _score(report: Report) -> str:
    undecided = f", {report.undecided} could not be judged" if report.undecided else ""
    return f"{plain_number(report.earned)} of {report.possible} points{undecided}"


def _next_step(report: Report) -> str:
    if report.all_passed:
        return "All done. `lab list` shows the next chapter."
    first = next((result for result in report.results if result.verdict in (VerdictName.FAIL, VerdictName.WAITING)), None)
    if first is None:
        return "Nothing of this is your fault: `lab status` shows what does not answer, `lab doctor` what to do about it."
    return f"Next: {first.id}. `lab hint {first.id}` helps, `lab tasks` tells what to reach."
