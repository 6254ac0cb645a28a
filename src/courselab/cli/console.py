"""How long work looks: a line per running stage on a terminal, a plain line per longer stage elsewhere. All on standard error."""

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

_BAR_WIDTH = 20


def stage_display() -> Progress:
    """The display that fits where standard error goes."""
    return Bars() if sys.stderr.isatty() else Lines()


@dataclass
class Running:
    """A stage that has begun."""

    name: str
    detail: str
    eta_s: float | None
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
    """One plain line when a stage begins; a stage of a few seconds is not worth one."""

    _WORTH_S = 5.0

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[Stage]:
        stage = Running(name, detail, eta_s)
        if eta_s is None or eta_s >= self._WORTH_S:
            self.say(f"{stage.text}{about(eta_s)} …")
        yield stage

    def say(self, line: str) -> None:
        print(clean(line), file=sys.stderr, flush=True)


class Bars:
    """A line per running stage, redrawn in place; a finished stage leaves one line with the time it took."""

    _REDRAW_S = 0.2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[Running] = []
        self._drawn = 0
        self._idle = threading.Event()

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[Stage]:
        stage = Running(name, detail, eta_s)
        with self._lock:
            self._running.append(stage)
            if len(self._running) == 1:
                self._idle = threading.Event()
                threading.Thread(target=self._paint, args=(self._idle,), daemon=True).start()
        mark = "✗"
        try:
            yield stage
            mark = "✓"
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
            line = f"{_bar(stage)} {stage.text}  {seconds(stage.elapsed_s)}{about(stage.eta_s)}"
            sys.stderr.write(line[:width] + "\n")
        self._drawn = len(self._running)
        sys.stderr.flush()


def _bar(stage: Running) -> str:
    fraction = stage.fraction
    if fraction is None and stage.eta_s and stage.eta_s >= 3:
        fraction = min(0.95, stage.elapsed_s / stage.eta_s)  # a guess that proves too short never shows a full bar
    if fraction is None:
        return "·"
    full = round(_BAR_WIDTH * max(0.0, min(1.0, fraction)))
    return "━" * full + "─" * (_BAR_WIDTH - full)


def seconds(value: float) -> str:
    """A duration as people say it: "0.8 s", "12 s", "3 min 20 s"."""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else f"{int(value) // 60} min {int(value) % 60:02} s"


def about(eta_s: float | None) -> str:
    """ " of about 7 min", where it is worth saying."""
    return f" of about {seconds(eta_s)}" if eta_s and eta_s >= 5 else ""
