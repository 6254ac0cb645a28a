"""A course with one lab for tests of the server: no machines, no cluster, and a cluster's words as hostile as they can be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from courselab.errors import LabError, UsageError
from courselab.grade.report import Report, Result
from courselab.grade.verdict import VerdictName
from courselab.progress import Progress
from courselab.site.labs import LabRow, MachineRow, Seen

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\x1b[2J"


def report(verdict: VerdictName = VerdictName.FAIL) -> Report:
    result = Result("03.route", f"Route {HOSTILE}", verdict, 0, 2, expected="200", actual=HOSTILE, message=HOSTILE, why=(HOSTILE,))
    return Report("03", "Services", "me", "local", "stand-in", "1.36.3", 0.1, (result,))


class FakeLabs:
    """See courselab.site.labs.Labs; remembers what it was asked for."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []
        self.hinted: list[tuple[str, int]] = []
        self.checked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.asked = 0  # for machines
        self.answers = threading.Event()
        self.answers.set()
        self.row: LabRow | None = LabRow("03", "ready", "local", "stand-in 1.36.3", "one", {"host": "a.example"})
        self.fails: LabError | None = None
        self.look_fails: Exception | None = None
        self.gone = threading.Event()  # the watch has seen that the lab is another one

    def chapters(self) -> list[dict[str, Any]]:
        return [{"chapter": "03", "title": "Services", "state": "ready", "earned": 0, "possible": 2, "page": "chapters/03/"}]

    def started(self) -> list[LabRow]:
        if self.look_fails:
            raise self.look_fails
        return [self.row] if self.row else []

    def machines(self, chapter: str) -> tuple[MachineRow, ...]:
        self.asked += 1
        self.answers.wait(10)
        return (MachineRow("server", "running", "10.0.0.1"),)

    def watch(self, chapter: str) -> FakeLabs:
        return self

    def updates(self, stop: threading.Event) -> Iterator[Seen]:
        yield Seen(report())
        while not stop.wait(0.02) and not self.gone.is_set():
            if self.checked.is_set():
                self.checked.clear()
                yield Seen(report(VerdictName.PASS))

    def check_now(self) -> None:
        self.checked.set()

    def run(self, verb: str, chapter: str, progress: Progress) -> None:
        self.ran.append((verb, chapter))
        with progress.stage("Starting machines", "server", eta_s=2):
            self.go_on.wait(10)
        if self.fails:
            raise self.fails

    def take_hint(self, task: str, level: int) -> None:
        if task != "03.route":
            raise UsageError("There is no such hint")
        self.hinted.append((task, level))
