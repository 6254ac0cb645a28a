"""One command at a time changes a lab. Locks end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from courselab.errors import LabError


@contextmanager
def lab_lock(state: Path, chapter: str, doing: str, *, wait_s: float = 0.0) -> Generator[None]:
    """Hold the lock of lab `chapter` while doing something to it; `doing` is what others are told ("start").

    Waits up to `wait_s` seconds. Raises LabError that says who holds it.
    """
    folder = state / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / chapter, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(handle, chapter, wait_s)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"lab {doing} (process {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, chapter: str, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(handle, 200, 0).decode("utf-8", "replace") or "another command"
                raise LabError(
                    f"Lab {chapter} is busy",
                    why=f"`{holder}` is working on it.",
                    fix="Wait until it has finished, then run the command again.",
                ) from None
            time.sleep(0.1)
