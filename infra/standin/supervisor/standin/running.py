"""What a server and an agent have in common: children that end with us, signals, work in the background."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from .children import Children, Node, notify
from .deploy import log

GC_WHILE_STARTING, GC_AFTERWARDS = 400, 75  # percent of the live heap
STARTING_S = 30.0


class Stopping(Exception):
    """A signal, or a child that ended: the text says which."""


class Running:
    """A node that is starting or runs. `start` is its own; then `keep` waits for the end, and `stop` ends all children."""

    def __init__(self) -> None:
        self._children = Children()
        self._kube: Node | None = None
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        self._signalled = ""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, _ignore)  # only to wake us

    def start(self) -> None:
        """Bring everything up; return when systemd was told so."""
        raise NotImplementedError

    def run(self) -> int:
        """Run until told to stop (0) or until one of the parts ends (1)."""
        try:
            self.start()
            self._keep()
        except Stopping as reason:
            log(f"stopping: {reason}")
            notify("STOPPING=1")
            self._children.stop()  # not the containers
            return 0 if self._signalled else 1

    def check(self) -> None:
        """Raise Stopping if there is a reason."""
        reason = self._signalled or self._children.ended()
        if reason:
            raise Stopping(reason)

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than until there is a reason to stop, which is raised. For the main thread."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            woken, _, _ = select.select([self._wake], [], [], left)
            if woken:
                os.read(self._wake, 64)

    def in_background(self, name: str, work: Callable[[], None]) -> None:
        """Do something in a thread of its own; what goes wrong with it is logged."""

        def guarded() -> None:
            try:
                work()
            except Stopping:
                pass  # the main thread says why
            except Exception as error:
                log(f"{name}: {type(error).__name__}: {error}")

        threading.Thread(target=guarded, name=name, daemon=True).start()

    def start_kube(self) -> Node:
        """The process of the Kubernetes components, which wait to be told."""
        self._kube = Node(self._children, {"GOGC": str(GC_WHILE_STARTING)})
        return self._kube

    def wait_for(self, event: threading.Event) -> None:
        """Return when it is set."""
        while not event.wait(0.05):
            self.check()

    def _keep(self) -> NoReturn:
        self.pause(STARTING_S)
        if self._kube:
            self._kube.pace_garbage_collector(GC_AFTERWARDS)
        while True:
            self.pause(3600.0)

    def _on_signal(self, number: int, _: object) -> None:
        self._signalled = f"got {signal.Signals(number).name}"


def _ignore(_number: int, _frame: object) -> None:
    pass
