"""Running programs in a virtual machine through `multipass exec`, and telling their failures from Multipass's own.

Multipass runs a command as its user `ubuntu` and hands on its exit code, but has codes of its own that mean other things. So
a program is started by a small shell that says at the end, as the last line of standard error, how it ended. Without that line
the program did not end: it is Multipass that failed.
"""

from __future__ import annotations

import io
import math
import re
import secrets
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from courselab.machines.commands import home_and_environment, login_shell
from courselab.machines.multipass.command import Command
from courselab.machines.multipass.failures import MultipassUnreachable, explain
from courselab.process import OUTPUT_LIMIT_BYTES, CommandTimeout, Completed

_ENDED = b"\ncourselab-ended "
# $1: seconds after which the program is killed, so that nothing goes on inside when we have given up. Then the program itself.
_SAY_END = 'limit=$1; shift; timeout -k 5 "$limit" "$@"; code=$?; printf "\\ncourselab-ended %s\\n" "$code" >&2; exit "$code"'
# For hosts whose pipes cannot be trusted: input and output are files in $1. $2: bytes of output that are kept. Old folders are removed.
_WITH_FILES = (
    'folder=$1; limit=$2; shift 2; find /tmp -maxdepth 1 -name "courselab-run-*" -mmin +60 -exec rm -rf {} + 2>/dev/null; '
    'mkdir -m 700 "$folder"; [ -f "$folder.in" ] && mv "$folder.in" "$folder/in"; cd "$folder" || exit 1; [ -f in ] || : > in; '
    '"$@" < in > out.all 2> err.all; head -c "$limit" out.all > out; tail -c "$limit" err.all > err; '
    "tar -cf result.tar out err; rm -f in out.all err.all"
)
_GRACE_S = 15.0
_TRANSFER_S = 120.0
_BYTES_PER_S = 1 << 20  # the slowest transfer that is waited for


@dataclass(frozen=True)
class Inside:
    """The inside of the virtual machine `name`, which is known to run."""

    command: Command
    name: str

    def run(
        self,
        argv: Sequence[str],
        *,
        user: str,
        timeout_s: float,
        input: bytes | Path | None = None,
        output_limit: int = OUTPUT_LIMIT_BYTES,
    ) -> Completed:
        """Run `argv` as `user` and return what it left. Raises CommandTimeout at the deadline, an error of Multipass's own otherwise."""
        inner = [*_as_user(user), "sh", "-c", _SAY_END, "sh", str(math.ceil(timeout_s) + 5), *argv]
        execute = self._exec if self.command.system.pipes else self._exec_with_files
        try:
            done = execute(inner, timeout_s, input, output_limit)
        except MultipassUnreachable as late:
            if late.kind != "deadline":
                raise
            raise CommandTimeout(
                f"`{' '.join(argv[:3])}` did not end within {timeout_s:g} s on {self.name}",
                why="It was stopped at its deadline.",
                fix="Try again; if it keeps happening, run `lab doctor`.",
                detail=repr(list(argv)),
            ) from late
        return self._ended(done, tuple(argv))

    def shell_argv(self, argv: Sequence[str], *, user: str) -> list[str]:
        """The host command that opens a login shell, or runs `argv` with its environment, on this terminal."""
        return ["multipass", "exec", "-n", self.name, "--", *_as_user(user, "TERM=xterm-256color"), *login_shell(argv)]

    def send(self, source: bytes | Path, target: str) -> None:
        """Copy a file, large or not, to `target`, which Multipass's own user must be able to write."""
        system = self.command.system
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        timeout_s = _TRANSFER_S + size / _BYTES_PER_S
        what = f"A file could not be copied to {self.name}"
        if system.pipes:  # by standard input, because a snap may not read everywhere
            self.command.do("transfer", "-", f"{self.name}:{target}", what=what, name=self.name, timeout_s=timeout_s, input=source)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data"
            if isinstance(source, bytes):
                path.write_bytes(source)
            else:
                path = source
            self.command.do("transfer", system.path(path), f"{self.name}:{target}", what=what, name=self.name, timeout_s=timeout_s)

    def _exec(self, inner: Sequence[str], timeout_s: float, input: bytes | Path | None, limit: int) -> Completed:
        return self.command.call("exec", "-n", self.name, "--", *inner, timeout_s=timeout_s, input=input, output_limit=limit)

    def _exec_with_files(self, inner: Sequence[str], timeout_s: float, input: bytes | Path | None, limit: int) -> Completed:
        folder = f"/tmp/courselab-run-{secrets.token_hex(6)}"  # noqa: S108 in the machine
        if input is not None:
            self.send(input, f"{folder}.in")
        done = self._exec(["sh", "-c", _WITH_FILES, "sh", folder, str(limit), *inner], timeout_s + _GRACE_S, None, limit)
        if done.code != 0:
            return done
        with tempfile.TemporaryDirectory() as here:
            result = Path(here) / "result.tar"
            source, target = f"{self.name}:{folder}/result.tar", self.command.system.path(result)
            self.command.do("transfer", source, target, what="The output could not be fetched", name=self.name, timeout_s=_TRANSFER_S)
            out, err = _unpack(result.read_bytes(), limit)
        return replace(done, stdout=out, stderr=err, truncated=len(out) >= limit)

    def _ended(self, done: Completed, argv: tuple[str, ...]) -> Completed:
        said, mark, end = done.stderr.rpartition(_ENDED)
        if mark and (code := re.match(rb"\d{1,3}", end)):
            return Completed(argv, int(code[0]), done.stdout, said, done.truncated)
        if done.truncated:  # the last line is lost; the exit code is all there is
            return replace(done, argv=argv)
        raise explain(done, f"A command could not be run on {self.name}", self.name, self.command.system)


def _as_user(user: str, *more: str) -> list[str]:
    """What stands before a program so that `user` runs it with a login's environment."""
    home, environment = home_and_environment(user)
    return ["sudo", "-n", "-u", user, "--", "env", "-i", "-C", home, *environment, *more]


def _unpack(data: bytes, limit: int) -> tuple[bytes, bytes]:
    parts: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for name in ("out", "err"):
                file = tar.extractfile(name)
                parts[name] = file.read(limit) if file else b""
    except (tarfile.TarError, KeyError, OSError):
        pass  # cut short: without its last line it counts as a failure of Multipass
    return parts.get("out", b""), parts.get("err", b"")
