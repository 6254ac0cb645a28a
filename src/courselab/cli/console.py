"""How long work looks: a bar per stage on a terminal, a plain line per stage elsewhere. All on standard error."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from courselab.cli.failure import clean
from courselab.progress import Progress


def stage_display() -> Progress:
    """The display that fits where standard error goes."""
    return Bars() if sys.stderr.isatty() else Lines()


class Lines:
    """One plain line when a stage begins; stages that take under a second or two are not worth one."""

    _WORTH_S = 5.0

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[None]:
        if eta_s is None or eta_s >= self._WORTH_S:
            self.say(f"{name}{f' {detail}' if detail else ''}{about(eta_s)} …")
        yield

    def say(self, line: str) -> None:
        print(clean(line), file=sys.stderr, flush=True)


class Bars:
    """A line per running stage, redrawn in place; a finished stage leaves one line with the time it took."""

    _REDRAW_S = 0.2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, tuple[str, float, float | None]] = {}
        self._drawn = 0
        self._next = 0
        self._ended = threading.Event()
        self._painter: threading.Thread | None = None

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[None]:
        text, began = clean(f"{name} {detail}".strip()), time.monotonic()
        with self._lock:
            key, self._next = self._next, self._next + 1
            self._running[key] = (text, began, eta_s)
            self._start_painting()
        try:
            yield
        except BaseException:
            self._finish(key, f"✗ {text}")
            raise
        self._finish(key, f"✓ {text}  {seconds(time.monotonic() - began)}")

    def say(self, line: str) -> None:
        with self._lock:
            self._erase()
            print(clean(line), file=sys.stderr, flush=True)
            self._draw()

    def _start_painting(self) -> None:
        if self._painter is None:
            self._ended.clear()
            self._painter = threading.Thread(target=self._paint, daemon=True)
            self._painter.start()

    def _paint(self) -> None:
        while not self._ended.wait(self._REDRAW_S):
            with self._lock:
                self._erase()
                self._draw()

    def _finish(self, key: int, line: str) -> None:
        with self._lock:
            self._erase()
            del self._running[key]
            print(line, file=sys.stderr, flush=True)
            self._draw()
            if not self._running:
                self._ended.set()
                self._painter = None

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        import shutil

        width = shutil.get_terminal_size().columns - 1
        for text, began, eta_s in self._running.values():
            elapsed = time.monotonic() - began
            sys.stderr.write(f"{_bar(elapsed, eta_s)} {text}  {seconds(elapsed)}{about(eta_s)}"[:width] + "\n")
        self._drawn = len(self._running)
        sys.stderr.flush()


def _bar(elapsed: float, eta_s: float | None) -> str:
    if not eta_s or eta_s < 3:
        return "·"
    # A guess that proves too short never shows a full bar.
    full = min(19, int(20 * elapsed / eta_s))
    return "━" * full + "╸" + " " * (19 - full)


def seconds(value: float) -> str:
    """A duration as people say it: "0.8 s", "12 s", "3 min 20 s"."""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else f"{int(value) // 60} min {int(value) % 60:02} s"


def about(eta_s: float | None) -> str:
    """ " of about 7 min", where it is worth saying."""
    return f" of about {seconds(eta_s)}" if eta_s and eta_s >= 5 else ""
