"""How long work looks: a line per running stage on a terminal, a plain line per stage elsewhere. All on standard error."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from courselab.cli.failure import clean
from courselab.progress import Progress, Stage
from courselab.timings import Timings

_BAR_WIDTH = 20
_WORTH_A_BAR_S, _WORTH_SAYING_S = 3.0, 5.0


def stage_display(timings: Timings) -> Progress:
    """The display that fits where standard error goes; `timings` knows how long stages took last time."""
    return Bars(timings) if sys.stderr.isatty() else Lines(timings)


@dataclass
class Running:
    """A stage that has begun."""

    name: str
    detail: str
    eta_s: float | None
    last_s: float | None  # what it took the last time on this machine
    fraction: float | None = None
    began: float = field(default_factory=time.monotonic)

    def update(self, detail: str, fraction: float | None = None) -> None:
        self.detail, self.fraction = detail, fraction

    @property
    def text(self) -> str:
        return clean(f"{self.name} {self.detail}".strip())

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began


class Lines:
    """One plain line when a stage begins."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[Stage]:
        stage = Running(name, detail, eta_s, self._timings.last(name, detail))
        self.say(f"{stage.text}{expected(stage)} …")
        yield stage
        self._timings.note(name, detail, stage.elapsed_s)

    def say(self, line: str) -> None:
        print(clean(line), file=sys.stderr, flush=True)


class Bars:
    """A line per running stage, redrawn in place; a finished stage leaves one line with the time it took."""

    _REDRAW_S = 0.2

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._lock = threading.Lock()
        self._running: list[Running] = []
        self._drawn = 0
        self._idle = threading.Event()

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[Stage]:
        stage = Running(name, detail, eta_s, self._timings.last(name, detail))
        with self._lock:
            self._running.append(stage)
            if len(self._running) == 1:
                self._idle = threading.Event()
                threading.Thread(target=self._paint, args=(self._idle,), daemon=True).start()
        mark = "✗"
        try:
            yield stage
            mark = "✓"
            self._timings.note(name, detail, stage.elapsed_s)
        finally:
            self._finish(stage, f"{mark} {stage.text}  {seconds(stage.elapsed_s)}")

    def say(self, line: str) -> None:
        with self._lock:
            self._erase()
            print(clean(line), file=sys.stderr)
            self._draw()

    def _paint(self, idle: threading.Event) -> None:
        while not idle.wait(self._REDRAW_S):
            with self._lock:
                if not idle.is_set():
                    self._erase()
                    self._draw()

    def _finish(self, stage: Running, line: str) -> None:
        with self._lock:
            self._erase()
            self._running.remove(stage)
            print(line, file=sys.stderr)
            self._draw()
            if not self._running:
                self._idle.set()

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        for stage in self._running:
            line = f"{_bar(stage)} {stage.text}  {seconds(stage.elapsed_s)}{expected(stage)}"
            sys.stderr.write(line[:width] + "\n")
        self._drawn = len(self._running)
        sys.stderr.flush()


def _bar(stage: Running) -> str:
    fraction = stage.fraction
    usual = stage.last_s or stage.eta_s
    if fraction is None and usual and usual >= _WORTH_A_BAR_S:
        fraction = min(0.95, stage.elapsed_s / usual)  # a guess that proves too short never shows a full bar
    if fraction is None:
        return "·"
    full = round(_BAR_WIDTH * max(0.0, min(1.0, fraction)))
    return "━" * full + "─" * (_BAR_WIDTH - full)


def seconds(value: float) -> str:
    """A duration as people say it: "0.8 s", "12 s", "3 min 20 s"."""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else f"{int(value) // 60} min {int(value) % 60:02} s"


def expected(stage: Running) -> str:
    """ ", last time 1.2 s"; where it was never done here, what we know: " of about 7 min", where that is worth saying."""
    if stage.last_s is not None:
        return f", last time {seconds(stage.last_s)}"
    return f" of about {seconds(stage.eta_s)}" if stage.eta_s and stage.eta_s >= _WORTH_SAYING_S else ""
