"""What was done to a lab: a log file of its own, for the day when something went wrong. Bounded, private, without secrets."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from courselab.progress import Progress, Stage

LIMIT_BYTES = 1 << 20  # then the file becomes NAME.1, which is the only older one kept
REPEATED_S = 600.0
_KNOWN_PROGRAMS = 1000
_LINE = 400
_WORD = 120
# What must not be kept: K3s's tokens, what is called a secret, private keys, credentials in an address, tokens of Kubernetes.
_SECRETS = (
    (re.compile(r"K10[0-9a-fA-F]{64}::\S+"), "(a K3s token)"),
    (re.compile(r"eyJ[\w-]{10,}\.[\w-]+\.[\w-]*"), "(a token)"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), "(a private key)"),
    (re.compile(r"(?i)\b([\w.-]*(?:token|password|passwd|secret|api-?key|credential)[\w.-]*\s*[=:]\s*)[^\s,;]+"), r"\1(hidden)"),
    (re.compile(r"(?i)(--[\w-]*(?:token|password|secret|from-literal)[\w-]*[ =])\S+"), r"\1(hidden)"),
    (re.compile(r"(?i)\b(bearer|basic) [\w.~+/=-]{8,}"), r"\1 (hidden)"),
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), r"\1(hidden)@"),
)


def without_secrets(text: str) -> str:
    """`text` with what looks like a secret hidden."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class Journal:
    """The log of one run of `lab`. What comes before it is known which lab is meant is held back until then."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self._early: list[str] = []
        self._noted: dict[str, float] = {}  # programs that ran well, and when that was noted
        self._lock = threading.Lock()

    def open(self, folder: Path, chapter: str) -> None:
        """From here on lines go to the log of this lab."""
        with self._lock:
            self.path = folder / f"{chapter}.log"
            early, self._early = self._early, []
            self._write(early)

    def note(self, line: str) -> None:
        """Write one line. A log that cannot be written is no reason to stop."""
        shown = "".join(char if char.isprintable() else " " for char in without_secrets(line))[:_LINE]
        text = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {os.getpid()} {shown}\n"
        with self._lock:
            if self.path is None:
                self._early = [*self._early[-99:], text]
            else:
                self._write([text])

    def ran(self, argv: Sequence[str], code: int | None, seconds: float, error: str) -> None:
        """A program has ended; `code` is None for one that was killed at its deadline. What a watch does again and again is noted seldom."""
        words = " ".join(word if len(word) <= _WORD else f"{word[:_WORD]}…" for word in (" ".join(one.split()) for one in argv))
        if len(words) > 2 * _WORD:  # what a machine runs is at the end, behind what leads into it
            words = f"{words[: _WORD // 2]} … {words[-3 * _WORD // 2 :]}"
        now = time.monotonic()
        if code == 0 and now - self._noted.get(words, -REPEATED_S) < REPEATED_S:
            return
        if len(self._noted) < _KNOWN_PROGRAMS:
            self._noted[words] = now
        last = f": {error.strip().splitlines()[-1]}" if code and error.strip() else ""
        self.note(f"ran {seconds:.2f} s {'killed' if code is None else f'code {code}'}  {words}{last}")

    def _write(self, lines: Sequence[str]) -> None:
        if not lines or self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.path.exists() and self.path.stat().st_size > LIMIT_BYTES:
                self.path.replace(self.path.with_suffix(".log.1"))
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, "".join(lines).encode("utf-8", "replace"))
            finally:
                os.close(handle)
        except OSError:
            return


class Journalled:
    """Progress that is also written into a journal."""

    def __init__(self, shown: Progress, journal: Journal) -> None:
        self._shown = shown
        self._journal = journal

    @contextmanager
    def stage(self, name: str, detail: str = "", *, eta_s: float | None = None) -> Generator[Stage]:
        """Shown and noted, with how it ended."""
        text = f"{name} {detail}".strip()
        self._journal.note(f"begins: {text}")
        began = time.monotonic()
        how = "failed"
        try:
            with self._shown.stage(name, detail, eta_s=eta_s) as stage:
                yield stage
            how = "done"
        finally:
            self._journal.note(f"{how} after {time.monotonic() - began:.2f} s: {text}")

    def say(self, line: str) -> None:
        """Shown and noted."""
        self._journal.note(f"said: {line}")
        self._shown.say(line)
