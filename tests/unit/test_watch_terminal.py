"""`lab check --watch` on a terminal, in a pipe, and as JSON lines; how it leaves the terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN, OUT = b"\x1b[?1049h", b"\x1b[?1049l"
PATIENCE_S = 60.0


def program(state: Path, control: int, *words: str) -> list[str]:
    # `lab test` keeps Python from importing what lies in the current folder.
    return ["/usr/bin/env", "-u", "PYTHONSAFEPATH", sys.executable, "-m", "tests.unit.watched_lab", str(state), str(control), *words]


class Terminal:
    """A terminal with the program in it."""

    def __init__(self, state: Path, *, rows: int = 30, columns: int = 90) -> None:
        self.ours, self.its = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.its)
        self.seen = b""
        reading, self.control = os.pipe()
        self.process = subprocess.Popen(
            program(state, reading), cwd=ROOT, stdin=self.its, stdout=self.its, stderr=self.its, pass_fds=[reading], start_new_session=True,
            env={**{name: os.environ[name] for name in os.environ if name not in ("COLUMNS", "LINES")}, "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(reading)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def say(self, line: str) -> None:
        os.write(self.control, f"{line}\n".encode())

    def press(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def until(self, found: bytes) -> bytes:
        """What is shown up to these bytes; what comes behind them is for the next call."""
        ends = time.monotonic() + PATIENCE_S
        while found not in self.seen:
            assert time.monotonic() < ends, f"{found!r} does not come: {self.seen[-2000:]!r}"
            if select.select([self.ours], [], [], 0.1)[0]:
                self.seen += os.read(self.ours, 65536)
        shown, _, self.seen = self.seen.partition(found)
        return shown + found

    def end(self) -> int:
        code = self.process.wait(PATIENCE_S)
        os.write(self.its, b"<end>")  # comes behind all that was printed
        self.seen = self.until(b"<end>")
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for handle in (self.ours, self.its, self.control):
            os.close(handle)

    @property
    def as_before(self) -> bool:
        """Whether the terminal's settings are those from before, and the ordinary screen is shown, with its cursor."""
        settings = termios.tcgetattr(self.its) == self.before
        return settings and self.seen.rfind(OUT) > self.seen.rfind(IN) and self.seen.rfind(b"\x1b[?25h") > self.seen.rfind(b"\x1b[?25l")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.close()


def plain(shown: bytes) -> str:
    """Without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_the_screen_changes_in_place_and_marks_what_has_turned(terminal: Terminal) -> None:
    terminal.until(IN)
    assert "no Deployment web" in plain(terminal.until(b"h hint   r full check   q quit"))
    terminal.say("replicas 3")
    assert "✓ 02.deploy" in plain(terminal.until("← was ✗".encode()))
    terminal.say("replicas 1")
    shown = plain(terminal.until("← was ✓".encode()))
    assert "… 02.deploy" in shown
    assert IN not in terminal.seen
    terminal.until(b"watching, changed ")


def test_q_ends_it_with_the_report_and_its_exit_code(terminal: Terminal) -> None:
    terminal.say("replicas 3")
    terminal.until("✓".encode())
    terminal.until(b"q quit")
    terminal.press(b"qqq\n")
    assert terminal.end() == 0
    assert terminal.as_before
    assert "02.deploy" in plain(terminal.seen.rpartition(OUT)[2])
    assert not select.select([terminal.its], [], [], 0)[0], "what was typed for us waits for the shell"


def test_h_shows_a_hint_and_r_checks_in_full(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until(b"q quit")
    terminal.press(b"h")
    terminal.until(b"hint 1 of 3: think")
    terminal.press(b"r")
    terminal.until(b" checking")
    terminal.until(b" watching")
    terminal.press(b"q")
    assert terminal.end() == 1
    assert (tmp_path / "progress.db").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_the_terminal_as_it_was(terminal: Terminal, number: signal.Signals) -> None:
    terminal.until(b"q quit")
    terminal.press(b"\x1ah")  # Ctrl-Z, which does nothing here
    terminal.until(b"hint 1 of 3")
    if number == signal.SIGINT:
        terminal.press(b"\x03")
    else:
        terminal.process.send_signal(number)
    assert terminal.end() == 130
    assert terminal.as_before, terminal.seen
    assert "02.deploy" not in plain(terminal.seen.rpartition(OUT)[2])


def test_a_smaller_window_keeps_the_keys_in_sight(terminal: Terminal) -> None:
    terminal.until(b"q quit")
    terminal.resize(6, 50)
    terminal.until(b"(a taller window shows the rest)")
    terminal.until(b"watching")


def test_it_ends_when_the_lab_changes_under_it(terminal: Terminal) -> None:
    terminal.until(b"q quit")
    terminal.say("end Lab 02 was stopped.")
    terminal.until(b"The watch has ended: Lab 02 was stopped.")
    assert terminal.end() == 3


def lines(state: Path, *words: str) -> Iterator[str]:
    """The lines that the program prints where there is no terminal: first as it is, then three changes, then the lab ends."""
    reading, control = os.pipe()
    with subprocess.Popen(
        program(state, reading, *words), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=[reading]
    ) as it:
        os.close(reading)
        assert it.stdout is not None
        with os.fdopen(control, "w", buffering=1) as say:
            changes = iter(["replicas 3", "replicas 1", "replicas 3", "end it was stopped"])
            for line in it.stdout:
                yield line.decode().rstrip("\n")
                if words or "->" in line.decode() or line.startswith(b"Next"):
                    say.write(f"{next(changes)}\n")
        assert it.wait(PATIENCE_S) == 3


def test_without_a_terminal_each_change_is_a_line(tmp_path: Path) -> None:
    found = list(lines(tmp_path))
    assert [re.sub(r"^[0-9:]{8}", "TIME", line) for line in found[-3:]] == [
        "TIME  02.deploy  fail -> pass  (2 of 2 points)",
        "TIME  02.deploy  pass -> waiting: Deployment web: status.availableReplicas: expected at least 3, found 1  (0 of 2 points)",
        "TIME  02.deploy  waiting -> pass  (2 of 2 points)",
    ]
    assert "\x1b" not in "".join(found)


def test_json_is_the_report_in_a_line_per_change(tmp_path: Path) -> None:
    reports = [json.loads(line) for line in lines(tmp_path, "--json")]
    assert [one["checks"][0]["verdict"] for one in reports] == ["fail", "pass", "waiting", "pass"]
    assert reports[1]["schema"] == 1
    assert reports[1]["score"] == {"earned": 2, "possible": 2, "undecided": 0}
