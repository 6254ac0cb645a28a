"""Locks between processes: held on an open file, ended by the system with the process that holds them, however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
    import time

    # A locked byte cannot be read by others there: lock one far behind what is written in the file.
    _FAR = 1 << 30

    def try_lock(handle: int) -> bool:
        """Take the lock of an open file, or return False when another process, or another handle, has it."""
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def wait_lock(handle: int) -> None:
        """Take the lock of an open file, however long another process has it."""
        while not try_lock(handle):
            time.sleep(0.2)  # Windows has nothing to wait on here
else:
    import fcntl

    def try_lock(handle: int) -> bool:
        """Take the lock of an open file, or return False when another process, or another handle, has it."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait_lock(handle: int) -> None:
        """Take the lock of an open file, however long another process has it."""
        fcntl.flock(handle, fcntl.LOCK_EX)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock of the file `path`, which is made if it is not there, however long another process has it."""
    with path.open("a") as file:
        wait_lock(file.fileno())
        yield


@contextmanager
def held_if_free(path: Path) -> Generator[bool]:
    """Hold the lock of the file `path` unless another process has it; gives whether nobody has. A file that is not there is not made."""
    if not path.exists():
        yield True
        return
    with path.open("r+" if os.access(path, os.W_OK) else "r") as file:
        yield try_lock(file.fileno())
