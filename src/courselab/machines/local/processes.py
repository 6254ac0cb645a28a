"""Looking at, signalling and waiting for processes of the host without ever meaning another one with the same number."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process: numbers are reused, a number with its start time is not."""

    pid: int
    started: int  # clock ticks after boot
    boot: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process `pid` as it is now; None when there is none."""
        started = start_ticks(pid)
        return cls(pid, started, boot_id()) if started is not None else None

    @property
    def alive(self) -> bool:
        """Whether it still is the same process, and not one that is ending: a killed init waits for all below it, with nothing left to enter."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.started and _has_namespaces(self.pid)


def boot_id() -> str:
    """Which boot of this host it is."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """When process `pid` started; None when it is gone or only waits to be collected by its parent."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _has_namespaces(pid: int) -> bool:
    """A process gives its namespaces back when it begins to end (Linux, do_exit)."""
    try:
        os.readlink(PROC / str(pid) / "ns/mnt")
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:  # of another user, but there
        return True
    return True


def is_first_of_namespace(pid: int) -> bool:
    """Whether `pid` is the first process of a PID namespace right below ours: a machine's init, not a container's."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    numbers = [line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")]
    return len(numbers) == 1 and len(numbers[0]) == 2 and numbers[0][1] == "1"


def kill_and_wait(pids: Iterable[int], *, timeout_s: float, number: int = signal.SIGKILL) -> bool:
    """Send a signal to processes and wait until they are gone; False when some are left at the deadline."""
    with ExitStack() as stack:
        waiting: set[int] = set()
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            stack.callback(os.close, handle)
            try:
                signal.pidfd_send_signal(handle, number)
            except ProcessLookupError:
                continue
            waiting.add(handle)
        return wait_for_end(waiting, timeout_s=timeout_s)


def wait_for_end(pidfds: set[int], *, timeout_s: float) -> bool:
    """Wait until the processes behind these pidfds have ended."""
    deadline = time.monotonic() + timeout_s
    waiting = set(pidfds)
    poll = select.poll()
    for handle in waiting:
        poll.register(handle, select.POLLIN)
    while waiting and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            waiting.discard(handle)
    return not waiting
