"""One command at a time changes a lab. Locks end with the process that holds them, however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from courselab.errors import LabError
from courselab.locks import try_lock


class LabBusy(LabError):
    """Another command is changing the lab."""


@contextmanager
def lab_lock(state: Path, chapter: str, doing: str, *, wait_s: float = 0.0) -> Generator[None]:
    """Hold the lock of lab `chapter` while doing something to it; `doing` is what others are told ("start").

    Waits up to `wait_s` seconds. Raises LabBusy, which says who holds it.
    """
    folder = state / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / chapter, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(handle, chapter, wait_s)
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f"lab {doing} (process {os.getpid()})".encode())
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, chapter: str, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while not try_lock(handle):
        if time.monotonic() >= deadline:
            os.lseek(handle, 0, os.SEEK_SET)
            holder = os.read(handle, 200).decode("utf-8", "replace") or "another command"
            raise LabBusy(
                f"Lab {chapter} is busy",
                why=f"`{holder}` is working on it.",
                fix="Wait until it has finished, then run the command again.",
            )
        time.sleep(0.1)
