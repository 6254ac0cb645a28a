"""Keeps the hub up to date while somebody looks: chapters and labs from files, machines, and a watch for each lab that runs."""

from __future__ import annotations

import threading
import time
from typing import Any

from courselab.errors import LabError
from courselab.grade.clean import clean
from courselab.grade.render import NO_LABEL, details, next_step
from courselab.grade.report import Report
from courselab.points import plain_number
from courselab.site.drawing import draw
from courselab.site.hub import Hub
from courselab.site.jobs import Jobs
from courselab.site.labs import LabRow, Labs, Seen, Watching
from courselab.site.picture import picture_of, sentences
from courselab.site.trouble import bug_json, error_json

FILES_EVERY_S = 1.0
MACHINES_EVERY_S = 5.0
LINGER_S = 30.0  # from one page to the next nobody listens for a moment
RETRY_S = 3.0
MOST_WATCHES = 4


class Looking:
    """Looks after the hub in a thread of its own; sleeps while nobody listens."""

    def __init__(self, labs: Labs, hub: Hub, jobs: Jobs) -> None:
        self._labs = labs
        self._hub = hub
        self._jobs = jobs
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._watches: dict[str, _Watch] = {}
        self._machines_at: dict[str, float] = {}
        self._asking: set[str] = set()  # chapters whose machines are being asked for
        self._known: set[str] = set()
        hub.on_listener = self._wake.set

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, daemon=True, name="looking").start()

    def stop(self) -> None:
        """End, with all watches."""
        self._stop.set()
        self._wake.set()

    def check_now(self, chapter: str) -> None:
        """Have a full check made. Raises LabError if the lab is not watched."""
        watch = self._watches.get(chapter)
        if watch is None:
            raise LabError(f"Lab {chapter} is not running", why="There is nothing to check.", fix=f"lab start {chapter}")
        watch.check_now()

    @property
    def watched(self) -> list[str]:
        """The chapters that are watched now."""
        return sorted(self._watches)

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._hub.quiet_for() > LINGER_S:
                self._end_watches(set())
                self._wake.wait()
            self._wake.clear()
            self._look()
            self._wake.wait(FILES_EVERY_S)
        self._end_watches(set())

    def _look(self) -> None:
        try:
            self._hub.put("chapters", self._labs.chapters())
            rows = self._labs.started()
        except LabError as broken:
            self._hub.put("trouble", error_json(broken))
            return
        except Exception as bug:  # a file that went away between two looks, say: the next look may find it
            self._hub.put("trouble", bug_json(bug, "lab status --debug"))
            return
        self._hub.put("trouble", None)
        for row in rows:
            self._hub.put(f"lab/{row.chapter}", _row_json(row))
            self._ask_machines(row)
        for gone in self._known - {row.chapter for row in rows}:
            for part in ("lab", "machines", "verdicts", "picture"):
                self._hub.put(f"{part}/{gone}", None)
        self._known = {row.chapter for row in rows}
        self._keep_watches(rows)

    def _ask_machines(self, row: LabRow) -> None:
        """In a thread of its own: a provider may take seconds to answer."""
        now = time.monotonic()
        if row.chapter in self._asking or now - self._machines_at.get(row.chapter, float("-inf")) < MACHINES_EVERY_S:
            return
        self._machines_at[row.chapter] = now
        self._asking.add(row.chapter)  # one at a time: it may wait for a password, or for a daemon that hangs
        threading.Thread(target=self._told_machines, args=(row.chapter,), daemon=True).start()

    def _told_machines(self, chapter: str) -> None:
        try:
            rows = self._labs.machines(chapter)
        except LabError:
            return
        finally:
            self._asking.discard(chapter)
        if chapter in self._known:
            self._hub.put(f"machines/{chapter}", [{"name": row.name, "state": row.state, "address": row.address} for row in rows])

    def _keep_watches(self, rows: list[LabRow]) -> None:
        busy = self._jobs.running
        wanted = {row.chapter: row for row in rows if row.phase == "ready" and row.chapter != busy}
        self._end_watches(
            {chapter for chapter, row in wanted.items() if chapter in self._watches and self._watches[chapter].key == row.key}
        )
        for chapter, watch in list(self._watches.items()):
            if watch.ended:  # what it said last stands until the next one speaks
                del self._watches[chapter]
        for chapter, row in list(wanted.items())[:MOST_WATCHES]:
            if chapter not in self._watches:
                self._watches[chapter] = watch = _Watch(self._labs, self._hub, row)
                watch.start()  # not before it can be found: whoever has seen a verdict may ask for a check

    def _end_watches(self, keep: set[str]) -> None:
        for chapter in set(self._watches) - keep:
            self._watches.pop(chapter).stop()
            self._hub.put(f"verdicts/{chapter}", None)
            self._hub.put(f"picture/{chapter}", None)


class _Watch:
    """One lab's watch, and the thread that passes on what it says."""

    def __init__(self, labs: Labs, hub: Hub, row: LabRow) -> None:
        self.key = row.key
        self.ended = False
        self._labs = labs
        self._hub = hub
        self._chapter = row.chapter
        self._stopped = threading.Event()
        self._watching: Watching | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name=f"watch-{self._chapter}").start()

    def stop(self) -> None:
        self._stopped.set()

    def check_now(self) -> None:
        if self._watching:
            self._watching.check_now()

    def _run(self) -> None:
        try:
            self._watching = self._labs.watch(self._chapter)
            for seen in self._watching.updates(self._stopped):
                if self._stopped.is_set():
                    return
                self._tell(seen)
        except LabError as failed:
            self._put("verdicts", {"trouble": error_json(failed)})
            self._stopped.wait(RETRY_S)
        except Exception as bug:  # a broken checker must not end the page
            self._put("verdicts", {"trouble": bug_json(bug, "lab check --debug")})
            self._stopped.wait(RETRY_S)
        finally:
            self.ended = True

    def _tell(self, seen: Seen) -> None:
        self._put("verdicts", verdicts_json(seen))
        if seen.evidence is not None:
            picture = picture_of(seen.evidence, seen.report.results)
            self._put("picture", {"svg": draw(picture), "words": sentences(picture)})

    def _put(self, part: str, value: dict[str, Any]) -> None:
        if not self._stopped.is_set():
            self._hub.put(f"{part}/{self._chapter}", value)


def verdicts_json(seen: Seen) -> dict[str, Any]:
    """A report as the page shows it: the words under a task are those of the terminal."""
    report: Report = seen.report
    return {
        "earned": plain_number(report.earned),
        "possible": report.possible,
        "undecided": report.undecided,
        "next": next_step(report),
        "connection": seen.connection,
        "why": clean(seen.why),
        "doing": clean(seen.doing),
        "notice": clean(seen.notice),
        "waits_for": [clean(line) for line in seen.waits_for],
        "checks": [
            {
                "id": result.id,
                "title": result.title,
                "verdict": result.verdict.value,
                "earned": plain_number(result.earned),
                "points": result.points,
                "details": [["" if label is NO_LABEL else label or "…", words] for label, words, _ in details(result)],
            }
            for result in report.results
        ],
    }


def _row_json(row: LabRow) -> dict[str, Any]:
    return {
        "chapter": row.chapter,
        "phase": row.phase,
        "provider": row.provider,
        "k3s": row.k3s,
        "params": row.params,
        "hints": row.hints,
    }
