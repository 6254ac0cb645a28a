"""`lab kubectl`: kubectl on the lab's server, with files of the host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from courselab.cli.app import App, PassThrough, on_terminal
from courselab.errors import UsageError
from courselab.machines import Machine
from courselab.machines.commands import login_shell
from courselab.process import become
from courselab.session.context import running_machine

_MANIFESTS = (".yaml", ".yml", ".json")
_TIMEOUT_S = 600.0  # on Windows alone
_LIMIT_BYTES = 8 * 1024 * 1024
# Of kubectl's flags, those that may stand before its verb and have a word of their own.
_WITH_VALUE = {"-n", "--namespace", "--context", "--cluster", "--user", "--kubeconfig", "-s", "--server", "--as", "--request-timeout", "-v"}


@click.command("kubectl", cls=PassThrough, epilog="Example:  lab kubectl get pods -A           lab kubectl apply -f work/02/web.yaml")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> int:
    """Run kubectl in the lab's cluster. A file or folder after -f is one of this computer."""
    app = App.here()
    lab = app.meant(None)
    state = app.started(lab)
    server = running_machine(app.context_of(state), state, lab.servers[0] if lab.servers else "")
    argv, manifests = split_files(list(words))
    full = server.shell_argv(["kubectl", *argv], terminal=manifests is None and on_terminal())
    if manifests is None:
        become(full)
    return send(server, argv, full, manifests)


def send(server: Machine, argv: Sequence[str], full: Sequence[str], manifests: bytes) -> int:
    """Run kubectl with `manifests` as its standard input; `full` is the host command for it."""
    sys.stdout.flush()
    if sys.platform == "win32":  # there `multipass exec` reads the console, not what it is given; the machine knows another way
        done = server.run(login_shell(["kubectl", *argv]), input=manifests, timeout_s=_TIMEOUT_S, user="student")
        sys.stdout.buffer.write(done.stdout)
        sys.stderr.buffer.write(done.stderr)
        return done.code
    return run_with(full, manifests)


def run_with(argv: Sequence[str], manifests: bytes) -> int:
    """Run kubectl with these manifests as its input, for as long as it likes; its exit code."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as kubectl:
        try:
            kubectl.communicate(manifests)
        except BaseException:
            with suppress(PermissionError):  # it is sudo's, which ends by the same Ctrl-C
                kubectl.kill()
            raise
    return kubectl.returncode


def split_files(words: list[str]) -> tuple[list[str], bytes | None]:
    """kubectl's arguments with every `-f FILE` of the host taken out, and what those files hold, for its standard input.

    What is at an address stays: kubectl fetches it.
    """
    if _verb(words) == "logs":  # there -f means --follow
        return words, None
    argv: list[str] = []
    names: list[str] = []
    after: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            after = [word, *rest]
        elif word in ("-f", "--filename"):
            names.append(next(rest, ""))
        elif word.startswith(("-f=", "--filename=")):
            names.append(word.partition("=")[2])
        else:
            argv.append(word)
    files = [name for name in names if not name.startswith(("http://", "https://"))]
    if not files or (files == ["-"] and not _must_be_read_here()) or "" in files:  # kubectl itself says what is wrong with no name
        return words, None
    addresses = [word for name in names if name not in files for word in ("-f", name)]
    return [*argv, *addresses, "-f", "-", *after], b"\n---\n".join(part for name in files for part in _read(name))


def _verb(words: list[str]) -> str:
    rest = iter(words)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, "")
        elif not word.startswith("-"):
            return word
    return ""


def _must_be_read_here() -> bool:
    """Whether kubectl would not get our standard input: on Windows `multipass exec` reads the console, whatever it is given."""
    return sys.platform == "win32" and not sys.stdin.isatty()


def _read(name: str) -> list[bytes]:
    path = Path(name).expanduser()
    try:
        files = sorted(file for file in path.iterdir() if file.suffix in _MANIFESTS) if path.is_dir() else [path]
        parts = [sys.stdin.buffer.read()] if name == "-" else [file.read_bytes() for file in files]
    except OSError as missing:
        raise UsageError(
            f"{name[:100]!r} cannot be read", why=missing.strerror or str(missing), fix="Give a file of this computer after -f."
        ) from missing
    if sum(map(len, parts)) > _LIMIT_BYTES:
        raise UsageError(
            "That is too large for a manifest", why=f"{name[:100]} holds more than 8 MiB.", fix="Give the manifest's own file."
        )
    return parts
