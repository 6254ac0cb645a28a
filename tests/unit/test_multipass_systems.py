"""Windows, macOS, snaps: what differs there, with the system as a value; and cloud-init data that survives Multipass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest
import yaml

from courselab.errors import LabError
from courselab.machines.multipass import record
from courselab.machines.multipass.keys import public_key, user_data
from courselab.machines.multipass.system import System
from courselab.process import Completed, run
from tests.unit.fake_multipass import RECIPE, FakeMultipass, done, provider, real_shell, spec

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2521cmd courselab"


class Windows(FakeMultipass):
    """Multipass on Windows: never reads its standard input, and hangs when a program prints much."""

    def _usual(self, words: tuple[str, ...], data: bytes) -> Completed:
        assert data == b"", "standard input does not work on Windows"
        if words[0] == "transfer":
            source, target = words[1:]
            if target.startswith("k3s-02-server:"):
                assert "/" not in source, "C:/… would mean a machine called C"
                Path(target.partition(":")[2]).write_bytes(Path(source.replace("\\", "/")).read_bytes())
            else:
                assert "/" not in target
                Path(target.replace("\\", "/")).write_bytes(Path(source.partition(":")[2]).read_bytes())
            return done()
        answer = super()._usual(words, data)
        assert words[0] != "exec" or len(answer.stdout) < 4096
        return answer


def test_on_windows_input_and_output_are_files(tmp_path: Path) -> None:
    fake = Windows(inside=real_shell(tmp_path))
    machine_spec = spec()
    machines = provider(tmp_path, fake, System("windows"))
    fake.states[machine_spec.name] = "Running"
    record.save(record.Record(machine_spec, "172.20.1.2", ready=True), machines.host.folder)
    machine = machines.get(machine_spec.name)
    assert machine
    ran = machine.run(["sh", "-c", "cat; seq 100000; echo bad >&2; exit 3"], input=b"\x00in\r\n\xff", timeout_s=20)
    assert ran.code == 3 and ran.stderr == b"bad\n" and ran.stdout.startswith(b"\x00in\r\n\xff1\n2\n") and ran.stdout.endswith(b"100000\n")
    assert machine.run(["true"], timeout_s=20).code == 0
    assert machine.run(["sh", "-c", "umask"], timeout_s=20).text == run(["sh", "-c", "umask"], timeout_s=20).text, "as on other hosts"
    assert [words[0] for words in fake.calls if words[0] not in ("list", "info")] == ["transfer", *["exec", "transfer"] * 3]


def test_on_windows_cloud_init_is_a_file(tmp_path: Path) -> None:
    seen: list[str] = []

    def launch(words: tuple[str, ...], data: bytes) -> Completed:
        assert data == b"" and words[-2] == "--cloud-init" and "/" not in words[-1]
        seen.append(Path(words[-1].replace("\\", "/")).read_text())
        return done(2, err="launch failed: Missing bridges")

    fake = Windows()
    fake.on["launch"] = [launch]
    with pytest.raises(LabError, match="could not be made"):
        provider(tmp_path, fake, System("windows")).create(spec())
    assert "manage_etc_hosts: false" in seen[0]


@pytest.mark.parametrize(
    ("system", "path", "text"),
    [
        (System("windows"), PureWindowsPath("C:/Users/Ann Lee/k3s"), "C:\\Users\\Ann Lee\\k3s"),
        (System("macos"), Path("/Users/ann lee/k3s"), "/Users/ann lee/k3s"),
        (System("linux"), Path("/home/ann/k3s"), "/home/ann/k3s"),
    ],
)
def test_paths_are_written_as_multipass_understands_them(system: System, path: Path, text: str) -> None:
    assert system.path(path) == text


@pytest.mark.parametrize("words", [["a b", 'say "hi"', "back\\slash", "trailing\\", ""], ['\\"', "100%", "^&|<>"]])
def test_arguments_survive_the_windows_command_line(words: list[str]) -> None:
    """subprocess joins by the rules by which every C program on Windows splits."""
    assert split_as_windows(subprocess.list2cmdline(["multipass", *words]))[1:] == words


def split_as_windows(line: str) -> list[str]:
    """The argument rules of Microsoft's C runtime."""
    words: list[str] = []
    word, quoted, begun, at = "", False, False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        at += slashes
        if slashes and line[at : at + 1] == '"':
            word += "\\" * (slashes // 2)
            begun = True
            if slashes % 2:
                word += '"'
                at += 1
            continue
        if slashes:
            word += "\\" * slashes
            begun = True
            continue
        if line[at] == '"':
            quoted, begun = not quoted, True
        elif line[at] in " \t" and not quoted:
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word += line[at]
            begun = True
        at += 1
    return [*words, word] if begun else words


def test_cloud_init_data_survives_the_loss_of_quotes_and_comments() -> None:
    """Multipass loads user-data and writes it out again without quotes (multipass #4176)."""
    given = user_data((RECIPE / "user-data.yaml").read_text(), hostname="server", ssh_key=KEY)
    meant = yaml.safe_load(given)
    strings = yaml.load(given, Loader=yaml.BaseLoader)

    class Plain(yaml.SafeDumper):
        yaml_implicit_resolvers = {}  # noqa: RUF012

    assert yaml.safe_load(yaml.dump(strings, Dumper=Plain)) == meant
    assert meant["manage_etc_hosts"] is False and meant["hostname"] == "server" and meant["ssh_authorized_keys"] == [KEY]
    assert "PollIntervalMaxSec=30" in given.decode() and given.startswith(b"#cloud-config\n")


def test_the_key_is_made_once(tmp_path: Path) -> None:
    first = public_key(tmp_path)
    assert first.startswith("ssh-ed25519 ") and public_key(tmp_path) == first
    said = subprocess.run(["ssh-keygen", "-y", "-f", str(tmp_path / "ssh_key")], capture_output=True, text=True, timeout=20, check=True)
    assert said.stdout.split()[:2] == first.split()[:2]


BLOCKED = """
import builtins, os, sys
real = builtins.__import__
blocked = {"fcntl", "pwd", "grp", "termios", "resource", "tty", "pty", "syslog", "posix", "spwd"}
class OnWindows:
    platform = "win32"
    def __getattr__(self, name):
        return getattr(sys, name)
def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    ours = (globals or {}).get("__name__", "").startswith("courselab")
    if ours and name in blocked:
        raise ImportError(f"{globals['__name__']} imports {name}")
    if ours and name in ("sys", "msvcrt"):
        return OnWindows()
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = guarded
import courselab.cli.main
for name in ("start", "tasks", "check", "status", "shell", "kubectl", "stop", "resume", "reset", "delete", "doctor", "list", "hint", "env"):
    try:
        __import__(f"courselab.cli.{name}")
    except ModuleNotFoundError as missing:
        if missing.name != f"courselab.cli.{name}":
            raise
import courselab.machines.choose
import courselab.machines.multipass.provider
import courselab.session.start, courselab.session.end, courselab.session.lock
from courselab.machines.multipass.system import System
assert System.here() == System("windows")
"""


def test_nothing_that_only_posix_has_is_imported_on_the_way_to_multipass() -> None:
    ran = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
