"""A verb that was asked for on the page, and how it goes on: one at a time, each with its stages and how it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from courselab.errors import LabError, UsageError
from courselab.grade.clean import clean
from courselab.progress import Stage
from courselab.site.hub import Hub
from courselab.site.labs import VERBS, Labs
from courselab.site.trouble import bug_json, error_json

PART = "job"
_MOST_STAGES = 40
_EVERY_S = 0.2


class Jobs:
    """Runs verbs in a thread of their own and tells the hub about it."""

    def __init__(self, labs: Labs, hub: Hub) -> None:
        self._labs = labs
        self._hub = hub
        self._lock = threading.Lock()
        self._running = ""
        hub.put(PART, None)

    @property
    def running(self) -> str:
        """The chapter that a job works on; "" if there is none."""
        with self._lock:
            return self._running

    def start(self, verb: str, chapter: str) -> None:
        """Begin `verb` for `chapter`. Raises UsageError if that is no verb of the page, or another job runs."""
        if verb not in VERBS:
            raise UsageError(f"{clean(verb, 40)!r} cannot be done from the page", fix=f"One of: {', '.join(VERBS)}.")
        with self._lock:
            if self._running:
                raise UsageError(f"Lab {self._running} is being worked on", why="One thing at a time.", fix="Wait until it has finished.")
            self._running = chapter
        job = _Job(verb, chapter, self._hub)
        threading.Thread(target=self._run, args=(job,), daemon=True, name=f"job-{verb}").start()

    def _run(self, job: _Job) -> None:
        job.publish()
        error: dict[str, str] | None = None
        try:
            self._labs.run(job.verb, job.chapter, job)
        except LabError as failed:
            error = error_json(failed)
        except Exception as bug:  # the page must be told, and the server goes on
            error = bug_json(bug, f"lab {job.verb} {job.chapter} --debug")
        finally:
            with self._lock:
                self._running = ""
            job.finish(error)


@dataclass
class _Stage:
    name: str
    detail: str
    eta_s: float | None
    began: float
    fraction: float | None = None
    took_s: float | None = None
    job: _Job | None = None

    def update(self, detail: str, fraction: float | None = None) -> None:
        """Say what is done now."""
        self.detail, self.fraction = detail, fraction
        if self.job:
            self.job.publish(soon=True)


@dataclass
class _Job:
    """One verb under way; its Progress."""

    verb: str
    chapter: str
    hub: Hub
    stages: list[_Stage] = field(default_factory=list[_Stage])
    lines: list[str] = field(default_factory=list[str])
    began: float = field(default_factory=time.monotonic)
    state: str = "running"
    error: dict[str, str] | None = None
    took_s: float | None = None
    _told: float = 0.0

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[Stage]:
        """A stage that the page shows."""
        stage = _Stage(name, detail, eta_s, time.monotonic(), job=self)
        if len(self.stages) < _MOST_STAGES:
            self.stages.append(stage)
        self.publish()
        try:
            yield stage
        finally:
            stage.took_s = time.monotonic() - stage.began
            self.publish()

    def say(self, line: str) -> None:
        """A line that the page shows."""
        self.lines = [*self.lines, clean(line)][-8:]
        self.publish()

    def finish(self, error: dict[str, str] | None) -> None:
        self.state, self.error = ("failed" if error else "done"), error
        self.took_s = time.monotonic() - self.began
        self.publish()

    def publish(self, *, soon: bool = False) -> None:
        """Tell the hub; what comes again soon is not told each time."""
        now = time.monotonic()
        if soon and now - self._told < _EVERY_S:
            return
        self._told = now
        self.hub.put(PART, self._to_json())

    def _to_json(self) -> dict[str, Any]:
        return {
            "verb": self.verb,
            "chapter": self.chapter,
            "state": self.state,
            "seconds": round(time.monotonic() - self.began if self.took_s is None else self.took_s, 1),
            "stages": [
                {
                    "text": clean(f"{stage.name} {stage.detail}".strip(), 120),
                    "eta": stage.eta_s,
                    "fraction": stage.fraction,
                    "seconds": None if stage.took_s is None else round(stage.took_s, 1),
                }
                for stage in list(self.stages)
            ],
            "lines": self.lines,
            "error": self.error,
        }
