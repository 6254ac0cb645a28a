"""Where a watch is shown: in place on a terminal, a plain line per change elsewhere, a JSON line per change for programs."""

from __future__ import annotations

import json
import textwrap
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from courselab.cli.keys import keys
from courselab.errors import LabError
from courselab.grade.clean import clean
from courselab.grade.report import Report, Result
from courselab.grade.standing import Update
from courselab.grade.verdict import VerdictName

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live


@dataclass(frozen=True)
class Controls:
    """What the keys do."""

    check: Callable[[], None]
    quit: Callable[[], None]
    hint: Callable[[Update], str]


class Display(Protocol):
    """Shows what is known."""

    def show(self, update: Update) -> None:
        """Show it, as far as it is news."""
        ...


@contextmanager
def display_of(controls: Controls, *, as_json: bool) -> Generator[Display]:
    """The display that fits where standard output goes, while the block runs."""
    if as_json:
        yield JsonLines()
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainLines(console)
        return
    from rich.live import Live

    screen: Screen | None = None
    with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        screen = Screen(console, live, controls)
        with keys(screen.pressed, screen.tick) as screen.keyboard:
            yield screen
    screen.leave()  # not after an interruption: then the terminal stays as it was


class JsonLines:
    """The report of `lab check --json` in one line, at each change of a verdict."""

    def __init__(self) -> None:
        self._last: tuple[Result, ...] | None = None

    def show(self, update: Update) -> None:
        """See Display."""
        if not update.checking and (update.full or update.report.results != self._last):
            self._last = update.report.results
            print(json.dumps(update.report.to_json(), ensure_ascii=False), flush=True)


class PlainLines:
    """The whole report once, then a line for each verdict that turns."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: Report | None = None

    def show(self, update: Update) -> None:
        """See Display."""
        from courselab.grade.render import print_report

        report = update.report
        if self._last is None:
            print_report(report, self._console)
        else:
            for result, before in turned(report, self._last):
                reason = f": {result.message}" if result.message else ""
                line = f"{time.strftime('%H:%M:%S')}  {result.id}  {before.value} -> {result.verdict.value}{reason}  ({report.score})"
                self._console.print(clean(line), soft_wrap=True, markup=False, highlight=False)
        self._console.file.flush()
        self._last = report


class Screen:
    """The whole report, drawn anew in place; what has just turned is marked until something else does."""

    def __init__(self, console: Console, live: Live, controls: Controls) -> None:
        self.keyboard = False
        self._console = console
        self._live = live
        self._controls = controls
        self._lock = threading.Lock()
        self._update: Update | None = None
        self._before: dict[str, VerdictName] = {}
        self._note = ""
        self._changed_at = ""
        self._size = console.size

    def show(self, update: Update) -> None:
        """See Display."""
        with self._lock:
            before = self._update
            self._update = update
            if before is not None and (other := turned(update.report, before.report)):
                self._before = {result.id: was for result, was in other}
                self._changed_at = time.strftime("%H:%M:%S")
                self._note = ""
            if before is None or _shown(before) != _shown(update):
                self._draw()

    def pressed(self, key: str) -> None:
        """A key."""
        if key in "qQ":
            self._controls.quit()
        elif key in "rR":
            self._controls.check()
        elif key in "hH" and self._update is not None:
            with self._lock:
                self._note = clean(self._hint(self._update), 2000)
                self._draw()

    def _hint(self, update: Update) -> str:
        try:
            return self._controls.hint(update)
        except LabError as failed:  # it would end the keyboard, and with it q
            return f"No hint: {failed.sentences}"

    def tick(self) -> None:
        """A moment has passed: the window may have another size."""
        with self._lock:
            if self._console.size != self._size:
                self._size = self._console.size
                self._draw()

    def leave(self) -> None:
        """Say in the ordinary screen how it stands at the end."""
        from courselab.grade.render import print_report

        if self._update is not None:
            print_report(self._update.report, self._console)

    def _draw(self) -> None:
        if self._update is not None:
            self._live.update(self._drawing(self._update), refresh=True)

    def _drawing(self, update: Update) -> RenderableType:
        """The report as far as it fits, the hint that was asked for, and the keys in the last line."""
        from rich.text import Text

        from courselab.grade.render import report_lines

        width, height = self._console.size
        note = [Text(line, style="cyan") for line in textwrap.wrap(self._note, max(20, width - 1))] if self._note else []
        room = height - 2 - (len(note) + 1 if note else 0)
        lines = report_lines(update.report, self._console, self._before)
        if len(lines) > room:
            lines = report_lines(update.report, self._console, self._before, brief=True)
        if len(lines) > room:
            lines = [*lines[: max(1, room - 1)], Text("(a taller window shows the rest)", style="dim")]
        below = [Text(), *note] if note else []
        filling = [Text() for _ in range(max(1, height - 1 - len(lines) - len(below)))]
        return Text("\n").join([*lines, *below, *filling, Text(self._keys(update)[: width - 1], style="reverse")])

    def _keys(self, update: Update) -> str:
        what = "checking" if update.checking else f"watching, changed {self._changed_at}" if self._changed_at else "watching"
        return f" {what}   {'h hint   r full check   q quit' if self.keyboard else 'Ctrl-C ends it'} "


def turned(report: Report, before: Report) -> list[tuple[Result, VerdictName]]:
    """The tasks that have another verdict than before, with the one they had."""
    was = {result.id: result.verdict for result in before.results}
    return [(result, was[result.id]) for result in report.results if was.get(result.id, result.verdict) is not result.verdict]


def _shown(update: Update) -> tuple[tuple[Result, ...], bool]:
    return update.report.results, update.checking
