"""Single keys from the terminal, while something else is on the screen; afterwards the terminal is as it was."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

TICK_S = 1.0


@contextmanager
def keys(pressed: Callable[[str], None], tick: Callable[[], None]) -> Generator[bool]:
    """Call `pressed` for each key, and `tick` about once a second, from a thread of their own, while the block runs.

    Gives whether there is a keyboard: standard input may be a file. Ctrl-C goes on to interrupt; Ctrl-Z, which would leave the shell with
    our screen, does nothing meanwhile.
    """
    ended = threading.Event()
    with _single_keys() as read:
        threading.Thread(target=_listen, args=(read, pressed, tick, ended), name="keys", daemon=True).start()
        try:
            yield read is not None
        finally:
            ended.set()


Read = Callable[[], str | None]  # a key; "" if none came within a tick, None if none will come any more


def _listen(read: Read | None, pressed: Callable[[str], None], tick: Callable[[], None], ended: threading.Event) -> None:
    while not ended.is_set():
        key = read() if read else None
        if key:
            pressed(key)
        elif key is None:
            read = None
            ended.wait(TICK_S)
        if not ended.is_set():
            tick()


if sys.platform == "win32":
    import msvcrt
    import time

    @contextmanager
    def _single_keys() -> Generator[Read | None]:
        def read() -> str | None:
            ends = time.monotonic() + TICK_S
            while time.monotonic() < ends:
                if msvcrt.kbhit():
                    return msvcrt.getwch()
                time.sleep(0.05)
            return ""

        yield read if sys.stdin.isatty() else None

else:
    import select
    import termios

    @contextmanager
    def _single_keys() -> Generator[Read | None]:
        if not sys.stdin.isatty():
            yield None
            return
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        single = termios.tcgetattr(terminal)
        single[3] &= ~(termios.ICANON | termios.ECHO)
        single[6][termios.VSUSP] = os.fpathconf(terminal, "PC_VDISABLE").to_bytes(1, "little")
        termios.tcsetattr(terminal, termios.TCSADRAIN, single)

        def read() -> str | None:
            try:
                if not select.select([terminal], [], [], TICK_S)[0]:
                    return ""
                return os.read(terminal, 1).decode("ascii", "replace") or None
            except OSError:
                return None  # the terminal went away

        try:
            yield read
        finally:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(terminal, termios.TCSAFLUSH, before)  # what was typed for us does not go to the shell
