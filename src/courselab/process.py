"""Running other programs: always an argument list, always a deadline, standard input always closed or given, output always bounded."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from courselab.errors import LabError

OUTPUT_LIMIT_BYTES = 8 * 1024 * 1024
LEFT_OVER_S = 1.0  # for output that is still in a pipe after its program ended


@dataclass(frozen=True)
class Completed:
    """What a finished command left: its exit code and output, cut at a limit (`truncated` says so)."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 become replacement characters."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Standard error as text, stripped."""
        return self.stderr.decode("utf-8", "replace").strip()

    def check(self, what: str, *, fix: str = "") -> Completed:
        """Return self if the command succeeded, else raise LabError that says `what` failed and shows the last line it printed."""
        if self.code == 0:
            return self
        last = (self.error_text or self.text.strip()).splitlines()[-1:] or ["it printed nothing"]
        raise CommandFailed(self, what, why=f"`{self.argv[0]}` ended with code {self.code}: {last[0][:300]}", fix=fix)


class CommandFailed(LabError):
    """A command ended with an exit code other than 0."""

    def __init__(self, completed: Completed, what: str, *, why: str, fix: str) -> None:
        super().__init__(what, why=why, fix=fix, detail=f"{completed.argv}\n{completed.error_text}\n{completed.text}")
        self.completed = completed


class CommandMissing(LabError):
    """The program is not installed."""


class CommandTimeout(LabError):
    """The program did not end before its deadline and was killed."""


# Programs that `run` waits for now. Signals belong to the whole process, and so does this.
_running: set[subprocess.Popen[bytes]] = set()
_starting = threading.RLock()  # held from a program's start until it is in the set
# Who is told of every program that has ended: its command line, exit code (None: killed at its deadline), seconds, and errors.
Watcher = Callable[[Sequence[str], int | None, float, str], None]
_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> None:
    """Tell `watcher` of every program that `run` runs from here on, for a log."""
    _watchers.append(watcher)


def end_running() -> None:
    """Kill every program that `run` waits for, in whichever thread: called when the user interrupts. Later ones may start again, to tidy up."""
    with _starting:
        for process in list(_running):  # threads take theirs out meanwhile
            _kill(process)


def end_for_good() -> None:
    """The same right before the process ends: no thread starts another program meanwhile, which nobody would end."""
    _starting.acquire()
    end_running()


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    input: bytes | Path | None = None,
    stdin: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    output_limit: int = OUTPUT_LIMIT_BYTES,
    on_error_text: Callable[[str], None] | None = None,
    each_second: Callable[[], None] | None = None,
) -> Completed:
    """Run `argv` to its end and return what it left, whatever its exit code.

    Its standard input is `input`, or what the file `input` holds, or the open file `stdin`, or nothing. `on_error_text` is shown its
    standard error as it comes. `each_second` is called while it runs; what that raises ends the program. The program gets a session of its own, so that it and its children can be killed together at the deadline
    or on Ctrl-C.
    Raises CommandMissing if it does not exist, CommandTimeout after `timeout_s` seconds, OSError if the file cannot be opened.
    """
    began = time.monotonic()
    source = input.open("rb") if isinstance(input, Path) else io.BytesIO(input or b"")
    try:
        with _starting:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if input is not None else (stdin or subprocess.DEVNULL),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )
            _running.add(process)
    except (FileNotFoundError, PermissionError) as missing:
        raise _missing(argv[0], missing) from missing
    reading = [_Reader(process.stdout, output_limit), _Reader(process.stderr, output_limit, on_error_text)]
    try:
        if input is not None and process.stdin is not None:
            threading.Thread(target=_feed, args=(process.stdin, source), daemon=True).start()
        _wait(process, timeout_s, each_second)
    except subprocess.TimeoutExpired as late:
        kill_group(process)
        tell(argv, None, time.monotonic() - began, "")
        raise CommandTimeout(
            f"`{' '.join(argv[:3])}` did not end within {timeout_s:g} s",
            why="It was stopped at its deadline.",
            fix="Try again; if it keeps happening, run `lab doctor`.",
            detail=repr(list(argv)),
        ) from late
    except BaseException:
        kill_group(process)
        raise
    finally:
        _running.discard(process)
    # A background child may hold the pipe open after its parent ended: take what is there, do not wait for it.
    ends = time.monotonic() + LEFT_OVER_S
    out, err = (reader.finish(within_s=max(0.0, ends - time.monotonic())) for reader in reading)
    tell(argv, process.returncode, time.monotonic() - began, err.decode("utf-8", "replace"))
    return Completed(tuple(argv), process.returncode, out, err, any(reader.truncated for reader in reading))


def _wait(process: subprocess.Popen[bytes], timeout_s: float, each_second: Callable[[], None] | None) -> None:
    """Wait for the end of a program. Raises subprocess.TimeoutExpired, or what `each_second` raises."""
    ends = time.monotonic() + timeout_s
    while each_second and (left := ends - time.monotonic()) > 1:
        try:
            process.wait(min(1, left))
        except subprocess.TimeoutExpired:
            each_second()
        else:
            return
    process.wait(max(0, ends - time.monotonic()))


def tied(argv: Sequence[str]) -> list[str]:
    """`argv` for `run`, so that the program ends with us even when nothing can be tidied up (kill -9). Linux only, elsewhere as it is."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv] if shutil.which("setpriv") else list(argv)


def tell(argv: Sequence[str], code: int | None, seconds: float, errors: str) -> None:
    """Tell the watchers of a program that has ended, here or in a helper of ours."""
    for watcher in _watchers:
        watcher(argv, code, seconds, errors)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process started by `run` together with its children, and reap it."""
    if not _kill(process):
        process.kill()
    process.wait()


def _kill(process: subprocess.Popen[bytes]) -> bool:
    """Kill a process and its children; without them where there are no process groups to signal. False if that cannot be."""
    if sys.platform == "win32":
        process.kill()
        return True
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def become(argv: Sequence[str]) -> NoReturn:
    """Go on as another program on this terminal: the last thing a command does. Raises CommandMissing if it does not exist."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if sys.platform == "win32":  # a process cannot be replaced there: wait for the other program
            os._exit(subprocess.call(list(argv)))
        os.execvp(argv[0], list(argv))  # noqa: S606 an argument list
    except (FileNotFoundError, PermissionError) as missing:
        raise _missing(argv[0], missing) from missing


def _missing(program: str, why: OSError) -> CommandMissing:
    return CommandMissing(f"The program {program!r} could not be started", why=str(why), fix="Run `lab doctor` to see what is missing.")


class _Reader:
    """Drains one pipe in a thread and keeps its first `limit` bytes."""

    def __init__(self, pipe: IO[bytes] | None, limit: int, show: Callable[[str], None] | None = None) -> None:
        self._show = show
        self._chunks: list[bytes] = []
        self._limit = limit
        self.truncated = False
        self._thread = threading.Thread(target=self._drain, args=(pipe,), daemon=True)
        self._thread.start()

    def _drain(self, pipe: IO[bytes] | None) -> None:
        if pipe is None:
            return
        size = 0
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                kept = chunk[: max(0, self._limit - size)]
                self.truncated |= len(kept) < len(chunk)
                self._chunks.append(kept)
                size += len(kept)
                if self._show:
                    self._show(chunk.decode("utf-8", "replace"))

    def finish(self, *, within_s: float) -> bytes:
        self._thread.join(within_s)
        return b"".join(self._chunks)


def _feed(pipe: IO[bytes], source: IO[bytes]) -> None:
    try:
        with source, pipe:
            shutil.copyfileobj(source, pipe, 1 << 20)
    except BrokenPipeError:
        pass  # the program did not want its input
