"""This user's labs as `lab serve` sees them, but with Evidence that was kept of a real cluster in place of one that runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from courselab.course import Catalog, Lab
from courselab.errors import LabError, UsageError
from courselab.grade.checker import checker_path, load_checker
from courselab.grade.evidence import Evidence, load
from courselab.grade.run import Outcome, judge_saved
from courselab.progress import Progress
from courselab.site.labs import VERBS, LabRow, MachineRow, Seen, connection_of

COURSE = Path(__file__).parents[2]
CHAPTER = "03"


def kept(chapter: str, case: str) -> Outcome:
    """A kept case ("untouched", "route.host", "solved"), judged again."""
    lab = Catalog(COURSE).find(chapter)
    evidence = load(COURSE / "tests" / "evidence" / chapter / f"{case}.json.gz")
    return judge_saved(lab, load_checker(checker_path(COURSE, chapter), lab), evidence)


class ReplayedLabs:
    """See courselab.site.labs.Labs. One lab can be started; `show` says in which of its kept states it is."""

    def __init__(self, case: str = "", *, chapter: str = CHAPTER) -> None:
        self.lab: Lab = Catalog(COURSE).find(chapter)
        self.ran: list[str] = []
        self.hinted: list[tuple[str, int]] = []
        self.row: LabRow | None = None
        self.fails: LabError | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self._changed = threading.Condition()
        self._seen: Seen | None = None
        self._made = 0
        if case:
            self.show(case)

    def show(self, case: str) -> None:
        """The cluster is now as it was when `case` was kept."""
        outcome = kept(self.lab.chapter, case)
        self.see(Seen(outcome.report, outcome.evidence, connection=connection_of(outcome.evidence), why=outcome.evidence.cluster.why))
        self.row = LabRow(self.lab.chapter, "ready", "local", f"stand-in {outcome.evidence.k3s.version}", str(self._made), _params(outcome))

    def see(self, seen: Seen) -> None:
        """The watch tells this."""
        with self._changed:
            self._seen = seen
            self._changed.notify_all()

    def recreated(self) -> None:
        """The lab was made anew under the page."""
        self._made += 1
        if self.row:
            self.row = replace(self.row, key=str(self._made))

    def chapters(self) -> list[dict[str, Any]]:
        return [
            {
                "chapter": lab.chapter,
                "title": lab.title,
                "summary": lab.file.summary,
                "minutes": lab.file.minutes,
                "page": f"chapters/{lab.folder.name}/",
                "state": self.row.phase if self.row and self.row.chapter == lab.chapter else "not started",
                "earned": 0,
                "possible": lab.possible,
            }
            for lab in Catalog(COURSE).all()
        ]

    def started(self) -> list[LabRow]:
        return [self.row] if self.row else []

    def machines(self, chapter: str) -> tuple[MachineRow, ...]:
        seen = self._seen.evidence if self._seen else None
        return tuple(MachineRow(name, "running", _address(seen, name)) for name in self.lab.file.machines)

    def watch(self, chapter: str) -> ReplayedLabs:
        return self

    def updates(self, stop: threading.Event) -> Iterator[Seen]:
        told: Seen | None = None
        while not stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda told=told: self._seen is not told or stop.is_set(), 0.2)
                now = self._seen
            if now is not None and now is not told:
                told = now
                yield now

    def check_now(self) -> None:
        self.ran.append("check")

    def run(self, verb: str, chapter: str, progress: Progress) -> None:
        assert verb in VERBS
        self.ran.append(verb)
        with progress.stage("Starting machines", "server", eta_s=6):
            self.go_on.wait(20)
        if self.fails:
            raise self.fails
        if verb == "stop" and self.row:
            self.row = replace(self.row, phase="stopped")
        else:
            self.show("untouched")

    def take_hint(self, task: str, level: int) -> None:
        found = Catalog(COURSE).find(task.partition(".")[0]).task(task)
        if found is None or not 1 <= level <= len(found.hints):
            raise UsageError("There is no such hint")
        self.hinted.append((task, level))
        if self.row and found.id.startswith(f"{self.row.chapter}."):
            self.row = replace(self.row, hints={**self.row.hints, found.id: level})


def _params(outcome: Outcome) -> dict[str, str]:
    return {name: str(value) for name, value in outcome.evidence.params.items()}


def _address(evidence: Evidence | None, machine: str) -> str:
    """The machine's address in this Evidence."""
    return evidence.nodes[machine].address if evidence and machine in evidence.nodes else ""
