"""Watching one of this user's labs: what `lab check --watch` and `lab serve` share, and the first of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from courselab.cli.app import App
from courselab.cli.failure import clean
from courselab.cli.grading import ExperimentResults, target_of
from courselab.course import Lab
from courselab.grade.checker import Checker, checker_path, load_checker
from courselab.grade.standing import Update
from courselab.grade.verdict import VerdictName
from courselab.grade.watch import Watch
from courselab.machines import Provider
from courselab.session.context import params_of
from courselab.session.progress_record import ProgressRecord
from courselab.session.store import LabState, Phase, Store

GONE = 3  # exit code: the lab is not there any more


def watch_of(app: App, lab: Lab) -> Watch:
    """A watch of a lab that is ready. Raises UsageError or Unreachable if it is not."""
    state = app.started(lab)
    checker = FreshChecker(app, lab)
    target_of(app, lab, state, checker)  # says what is wrong before anything is watched
    folder = app.store.folder(lab.chapter)
    return Watch(
        lambda: target_of(app, lab, app.started(lab), checker),
        lasting=Lasting(app.store, state),
        cache=ExperimentResults(folder / "experiments.json"),
        bug_folder=app.paths.state / "bugs",
    )


@dataclass(frozen=True)
class KeptApp(App):
    """An App that keeps its providers: what runs as root is started, and asks for a password, once."""

    kept: dict[str, Provider] = field(default_factory=dict[str, Provider])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def provider(self, wish: str | None) -> Provider:
        """The provider called `wish`, or the first usable one."""
        with self.lock:
            key = wish or ""
            if key not in self.kept:
                self.kept[key] = super().provider(wish)
            return self.kept[key]


_NOW = {Phase.STOPPED: "was stopped", Phase.RESETTING: "is being made anew", Phase.RESTORING: "is being put back to a snapshot"}


class FreshChecker:
    """A lab's checker, loaded again when its author has changed the file."""

    def __init__(self, app: App, lab: Lab) -> None:
        self._path = checker_path(app.paths.course, lab.chapter)
        self._lab = lab
        self._loaded: tuple[int, Checker] | None = None

    def __call__(self) -> Checker:
        """The checker. Raises CheckerBroken."""
        written = self._path.stat().st_mtime_ns if self._path.exists() else 0
        if self._loaded is None or self._loaded[0] != written:
            self._loaded = (written, load_checker(self._path, self._lab))
        return self._loaded[1]


class Lasting:
    """Says why a lab is not the one that was watched: read from its state, which whoever changes it writes."""

    def __init__(self, store: Store, state: LabState) -> None:
        self._store = store
        self._state = state
        self._file = store.folder(state.chapter) / "lab.json"
        self._read_at = 0

    def __call__(self) -> str:
        """A sentence; "" while it is the same lab."""
        try:
            changed = self._file.stat().st_mtime_ns
        except OSError:
            return f"Lab {self._state.chapter} was deleted."
        if changed == self._read_at:
            return ""
        self._read_at = changed
        now = self._store.load(self._state.chapter)
        if now is None:
            return f"Lab {self._state.chapter} was deleted."
        if now.phase is not Phase.READY:
            return f"Lab {now.chapter} {_NOW.get(now.phase, 'is being started')}."
        same = (now.created_at, now.seed, now.machines, now.provider) == (
            self._state.created_at, self._state.seed, self._state.machines, self._state.provider
        )  # fmt: skip
        return "" if same else f"Lab {now.chapter} was made anew."


class Attempts:
    """Keeps what a watch sees as attempts: when somebody asked for a full check, and when a task passes that never had."""

    def __init__(self, record: ProgressRecord) -> None:
        self._record = record
        self._known: set[str] = set()

    def note(self, update: Update) -> None:
        """Keep this update, if it is worth it."""
        passed = {one.id for one in update.judged if one.passed} - self._known
        new = any(not self._record.solved(id) for id in passed)
        self._known |= passed
        if update.full or new:
            self._record.add_attempt(update.report.to_json())


def watch_lab(app: App, lab: Lab, *, as_json: bool) -> int:
    """`lab check --watch`: show verdicts as they change until the user ends it, or the lab changes under it; the exit code."""
    watch = watch_of(KeptApp(app.paths, app.catalog, app.store, app.progress, app.journal, app.yes), lab)
    app.store.touch(lab.chapter)
    return show(watch, Attempts(ProgressRecord(app.paths.state)), Hints(app, lab).take, as_json=as_json)


def show(watch: Watch, attempts: Attempts, hint: Callable[[Update], str], *, as_json: bool) -> int:
    """Show a watch until it ends or the user ends it; the exit code."""
    from courselab.cli.watch_displays import Controls, display_of

    stop, last = threading.Event(), None

    def quit_() -> None:
        stop.set()
        watch.wake()

    with display_of(Controls(watch.check_now, quit_, hint), as_json=as_json) as display:
        for update in watch.updates(stop):
            attempts.note(update)
            display.show(update)
            last = update
    if watch.ended:
        print(clean(f"The watch has ended: {watch.ended}"), file=sys.stderr)
        return GONE
    return last.report.exit_code if last else 0


class Hints:
    """Gives the next hint of the first task that is not passed."""

    def __init__(self, app: App, lab: Lab) -> None:
        self._record = ProgressRecord(app.paths.state)
        self._lab = lab
        self._params = params_of(lab, app.started(lab))

    def take(self, update: Update) -> str:
        """The hint, with whose it is; it counts as taken."""
        open_ = {result.id for result in update.report.results if result.verdict is not VerdictName.PASS}
        task = next((task for task in self._lab.tasks if task.id in open_ and task.hints), None)
        if task is None:
            return "Every task is solved."
        number = self._record.take_hint(task.id, len(task.hints))
        return f"{task.id}  hint {number} of {len(task.hints)}: {self._params.fill(task.hints[number - 1]).strip()}"
