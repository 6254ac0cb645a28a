"""A program for tests of the terminal: `lab check --watch` on a stub of an API. Words: the state folder, the file descriptor that control lines come
from, and --json if wanted. Control lines:

replicas N (makes or changes Deployment web) · end WHY (the lab changes)
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
import threading
from pathlib import Path

from courselab.cli.watching import Attempts, show
from courselab.grade.watch import Watch
from courselab.session.progress_record import ProgressRecord
from tests.unit.grade.api_stub import Stub, serving
from tests.unit.grade.builders import namespaces
from tests.unit.grade.test_collect import target
from tests.unit.grade.test_watch import HASTY, deploy, web


def main() -> int:
    why = [""]
    with serving(Stub(streaming=True)) as stub:
        stub.add(*namespaces())
        found = target(stub, None, deploy, params={"namespace": "shop"})
        watch = Watch(lambda: found, lasting=lambda: why[0], pace=HASTY)
        threading.Thread(target=control, args=(stub, why), daemon=True).start()
        attempts = Attempts(ProgressRecord(Path(sys.argv[1])))
        return show(watch, attempts, lambda update: f"02.deploy  hint 1 of 3: {'think ' * 30}", as_json="--json" in sys.argv)


def control(stub: Stub, why: list[str]) -> None:
    with os.fdopen(int(sys.argv[2])) as lines:
        for line in lines:
            word, _, rest = line.strip().partition(" ")
            if word == "replicas":
                stub.change("MODIFIED", web(available=int(rest)))
            else:
                why[0] = rest


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    if sys.stdin.isatty():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches us
    for number in (signal.SIGINT, signal.SIGTERM):  # as the command itself does
        signal.signal(number, interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
