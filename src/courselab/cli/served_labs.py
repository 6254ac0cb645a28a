"""This user's labs as the page of `lab serve` sees them: read from the state folder, changed by the same functions as the verbs'."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from courselab.cli.app import App
from courselab.cli.watching import Attempts, KeptApp, watch_of
from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.errors import UsageError
from courselab.grade.standing import Update
from courselab.grade.watch import Watch
from courselab.journal import Journalled
from courselab.points import plain_number
from courselab.progress import Progress, Stage
from courselab.session.context import Context, machines_of, params_of
from courselab.session.end import stop
from courselab.session.progress_record import Best, ProgressRecord
from courselab.session.reset import reset
from courselab.session.start import start
from courselab.session.store import LabState
from courselab.site.labs import LabRow, MachineRow, Seen, connection_of


class ServedLabs:
    """See courselab.site.labs.Labs."""

    def __init__(self, app: App) -> None:
        self._shown = _Relay(app.progress)
        self._app = _ServedApp(app.paths, app.catalog, app.store, self._shown, app.journal, app.yes)
        self._record = ProgressRecord(app.paths.state)
        self._read: dict[Path, tuple[int, Lab]] = {}
        self._reached = _Reached(self._record, app.paths.state / "progress.db")

    def chapters(self) -> list[dict[str, Any]]:
        """See Labs."""
        best = self._reached.best()
        rows: list[dict[str, Any]] = []
        for lab in self._labs():
            state = self._app.store.load(lab.chapter)
            earned = best[lab.chapter].earned if lab.chapter in best else 0
            rows.append(
                {
                    "chapter": lab.chapter,
                    "title": lab.title,
                    "summary": lab.file.summary,
                    "minutes": lab.file.minutes,
                    "page": f"chapters/{lab.folder.name}/",
                    "state": state.phase.value if state else "not started",
                    "earned": plain_number(earned),
                    "possible": lab.possible,
                }
            )
        return rows

    def started(self) -> list[LabRow]:
        """See Labs."""
        labs = {lab.chapter: lab for lab in self._labs()}
        states = [state for name in self._app.store.chapters() if name in labs and (state := self._app.store.load(name))]
        return [self._row(labs[state.chapter], state) for state in states]

    def machines(self, chapter: str) -> tuple[MachineRow, ...]:
        """See Labs."""
        state = self._app.store.load(chapter)
        if state is None:
            return ()
        found = machines_of(self._app.context_of(state), state)
        return tuple(MachineRow(host, one.state.value if one else "gone", one.address if one else "") for host, one in found.items())

    def watch(self, chapter: str) -> WatchedLab:
        """See Labs."""
        return WatchedLab(watch_of(self._app, self._app.catalog.find(chapter)), Attempts(self._record))

    def run(self, verb: str, chapter: str, progress: Progress) -> None:
        """See Labs."""
        lab = self._app.catalog.find(chapter)
        state = self._app.store.load(lab.chapter)
        self._app.journal.open(self._app.paths.logs, lab.chapter)
        with self._shown.to(Journalled(progress, self._app.journal)):
            context: Context = self._app.context(self._app.provider(state.provider if state else None))
            if verb in ("start", "resume"):
                start(context, lab)
                return
            state = self._app.started(lab)
            if verb == "stop":
                stop(context, state, lab)
            else:
                reset(context, lab, state)

    def take_hint(self, task: str, level: int) -> None:
        """See Labs."""
        lab = self._app.catalog.find(task.partition(".")[0])
        found = lab.task(task)
        if found is None or not 1 <= level <= len(found.hints):
            raise UsageError("There is no such hint", why=f"Lab {lab.chapter} has no hint {level} for it.", fix="Load the page again.")
        self._record.saw_hint(found.id, level)

    def _labs(self) -> list[Lab]:
        """Every lab; a file is read again only when it has changed."""
        for chapter in self._app.catalog.chapters():
            folder = self._app.catalog.folder(chapter)
            changed = (folder / "lab.yaml").stat().st_mtime_ns
            if self._read.get(folder, (0, None))[0] != changed:
                self._read[folder] = (changed, load_lab(folder))
        return [lab for folder, (_, lab) in sorted(self._read.items()) if folder.is_dir()]

    def _row(self, lab: Lab, state: LabState) -> LabRow:
        kubeconfig = self._app.store.kubeconfig(lab.chapter)
        # What is in it, not when it was written: of a lab whose learner installs K3s it is fetched anew each time.
        fresh = hashlib.sha256(kubeconfig.read_bytes()).hexdigest()[:12] if kubeconfig.exists() else ""
        return LabRow(
            chapter=lab.chapter,
            phase=state.phase.value,
            provider=state.provider,
            k3s=state.k3s,
            key=f"{state.created_at} {state.version} {fresh}",
            params=dict(params_of(lab, state)),
            hints=self._reached.hints(lab.chapter),
        )


class _Reached:
    """What the progress record says, read again only when its file has changed: the page looks each second."""

    def __init__(self, record: ProgressRecord, file: Path) -> None:
        self._record = record
        self._file = file
        self._written = -1
        self._best: dict[str, Best] = {}
        self._hints: dict[str, dict[str, int]] = {}

    def best(self) -> dict[str, Best]:
        """See ProgressRecord."""
        self._look()
        return self._best

    def hints(self, chapter: str) -> dict[str, int]:
        """See ProgressRecord."""
        self._look()
        if chapter not in self._hints:
            self._hints[chapter] = self._record.hints(chapter)
        return self._hints[chapter]

    def _look(self) -> None:
        written = self._file.stat().st_mtime_ns if self._file.exists() else 0
        if written != self._written:
            self._best, self._hints, self._written = self._record.best(), {}, written


class _ServedApp(KeptApp):
    """An App whose questions are asked where `lab serve` was started."""

    def agree(self, question: str) -> bool:
        """Ask where `lab serve` was started, and say so on the page."""
        self.progress.say(f"A question waits in the terminal of `lab serve`: {question}")
        return super().agree(question)


class _Relay:
    """Progress that is shown on the page while a job runs, else in the terminal."""

    def __init__(self, otherwise: Progress) -> None:
        self._otherwise = self._now = otherwise

    @contextmanager
    def to(self, progress: Progress) -> Generator[None]:
        """Show what is done meanwhile in `progress`."""
        self._now = progress
        try:
            yield
        finally:
            self._now = self._otherwise

    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> AbstractContextManager[Stage]:
        """Passed on."""
        return self._now.stage(name, detail, eta_s=eta_s)

    def say(self, line: str) -> None:
        """Passed on."""
        self._now.say(line)


class WatchedLab:
    """A watch as the page is told of it. Experiments that change the lab for a moment are made by `lab check` alone."""

    def __init__(self, watch: Watch, attempts: Attempts) -> None:
        self._watch = watch
        self._attempts = attempts

    def check_now(self) -> None:
        """See Watching."""
        self._watch.check_now()

    def updates(self, stop: threading.Event) -> Iterator[Seen]:
        """See Watching."""
        notice = ""
        for update in self._watch.updates(stop):
            self._attempts.note(update)
            if update.full:
                notice = _left_out(update)
            yield Seen(
                update.report,
                update.evidence,
                waits_for=update.waits_for,
                connection=connection_of(update.evidence),
                why=update.evidence.cluster.why,
                doing="checking" if update.checking else "",
                notice=notice if _left_out(update) else "",
            )


def _left_out(update: Update) -> str:
    """Which tasks a full check leaves open because only an experiment can tell, which the page does not make."""
    if not update.left_out:
        return ""
    return (
        f"{', '.join(update.left_out)}: only an experiment that changes the lab for a moment can tell. `lab check` in a terminal makes it."
    )
