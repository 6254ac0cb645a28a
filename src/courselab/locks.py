"""Locks between processes: held on an open file, ended by the system with the process that holds them, however it ends."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt
    import os
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
