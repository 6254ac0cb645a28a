"""The command as a user meets it: what it prints where, exit codes, three-line errors, and never a traceback."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from courselab.cli import kubectl
from courselab.cli.failure import clean
from courselab.cli.kubectl import send, split_files
from courselab.cli.main import VERBS
from courselab.cli.shell import command as shell
from courselab.cli.status import _machine_row
from courselab.errors import UsageError
from courselab.machines import Completed, MachineSpec
from courselab.process import CommandTimeout
from tests.unit.conftest import Command
from tests.unit.fakes import FakeMachine, FakeProvider


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    command = importlib.import_module(f"courselab.cli.{verb}").command
    assert command.name == verb
    assert "Example:" in (command.epilog or "")
    assert command.help


def test_help_lists_every_verb(lab: Command) -> None:
    shown = lab("--help")
    assert shown.returncode == 0
    assert all(f"  {verb} " in shown.stdout for verb in VERBS)


@pytest.mark.parametrize("words", [[], ["bundle"], ["site"]])
def test_without_a_verb_the_help_is_shown_as_help(lab: Command, words: list[str]) -> None:
    done = lab(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == lab(*words, "--help").stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["strat"], 2, "Did you mean `lab start`?"),
        (["start", "99"], 2, "Chapters with a lab are: 02"),
        (["start", "../../etc"], 2, "There is no chapter '../../etc'"),
        (["start", "02\x1b[2J"], 2, "\\x1b"),
        (["tasks"], 2, "No lab is started"),
        (["tasks", "02"], 2, "Lab 02 is not started"),
        (["start", "02", "--on", "cloud"], 2, "There is no provider 'cloud'"),
        (["delete", "02", "--nope"], 2, "No such option"),
        (["delete", "--all", "02"], 2, "Either a chapter or --all"),
        (["delete", "02"], 2, "There is no terminal to ask on"),
        (["completion", "tcsh"], 2, "tcsh"),
        (["bundle", "create", "all.lab", "--chapters", ""], 2, "There is no chapter ''"),  # a script's empty variable is not "all"
        (["check", "--evidence", ""], 2, "cannot be read"),  # nor the running lab
    ],
)
def test_a_wrong_call_is_told_in_three_lines(lab: Command, words: list[str], code: int, says: str) -> None:
    done = lab(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) <= 4
    assert "Traceback" not in done.stderr
    assert "\x1b[2J" not in done.stderr


def test_list_has_the_designed_json(lab: Command) -> None:
    chapter = {"chapter": "02", "title": "Workloads", "state": "not started", "earned": 0, "possible": 2}
    assert json.loads(lab("list", "--json").stdout) == {"schema": 1, "chapters": [chapter]}
    assert "Workloads  not started  0/2 points" in lab("list").stdout


def test_a_damaged_lab_yaml_is_told_with_file_and_line(lab: Command, course: Path) -> None:
    path = course / "labs" / "02-workloads" / "lab.yaml"
    path.write_text(path.read_text().replace("points", "pionts"))
    done = lab("list")
    assert (done.returncode, done.stdout) == (2, "")
    assert "lab.yaml:12 is not a lab" in done.stderr
    assert "Did you mean `points`?" in done.stderr


def test_sudo_is_refused(lab: Command) -> None:
    done = lab("list", SUDO_UID="1000")
    assert done.returncode == 2
    assert "without sudo" in done.stderr


def test_a_reader_that_goes_away_is_no_error(course: Path) -> None:
    argv = f"{sys.executable} -m courselab --help | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", argv], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


def test_a_damaged_state_is_told_and_can_be_deleted(lab: Command, tmp_path: Path) -> None:
    state = tmp_path / "höme" / "state" / "labs" / "02" / "lab.json"
    state.parent.mkdir(parents=True)
    state.write_text("{half")
    done = lab("tasks", "02")
    assert done.returncode == 4
    assert "lab delete 02" in done.stderr


@pytest.mark.parametrize("verb", ["list", "progress"])
def test_a_folder_that_cannot_be_used_is_no_bug(lab: Command, tmp_path: Path, verb: str) -> None:
    (tmp_path / "file").write_text("")
    done = lab(verb, LAB_HOME=str(tmp_path / "file"))
    assert done.returncode == 4
    assert "cannot be used" in done.stderr and "LAB_HOME" in done.stderr
    assert "log:" not in done.stderr, "no log can be kept there either"
    assert "bug" not in done.stderr


def test_control_characters_never_reach_the_terminal() -> None:
    assert clean("a\x1b[31mb\x07\nc\u202e") == "a\\x1b[31mb\\x07 c\\x202e"


def test_on_windows_manifests_go_the_way_that_the_machine_knows(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`multipass exec` reads the console there, not its standard input."""
    machine = FakeMachine(MachineSpec("k3s-02-server", "server", "02"), FakeProvider())
    machine.start()
    machine.answers = lambda argv: Completed(tuple(argv), 1, b"made\n", b"refused\n")
    monkeypatch.setattr("courselab.cli.kubectl.sys.platform", "win32")
    assert send(machine, ["apply", "-f", "-"], ["false"], b"a: 1") == 1
    sys.stdout.flush()
    sys.stderr.flush()
    assert capfdbinary.readouterr() == (b"made\n", b"refused\n")
    assert machine.ran[-1][-4:] == ("kubectl", "apply", "-f", "-")


def test_status_shows_a_machine_that_hangs_beside_the_others() -> None:
    def hangs(argv: object) -> Completed:
        raise CommandTimeout("`systemctl` did not end within 5 s on k3s-02-server", why="It was stopped at its deadline.")

    machine = FakeMachine(MachineSpec("k3s-02-server", "server", "02"), FakeProvider(), answers=hangs)
    machine.start()
    assert _machine_row("server", machine)["kubernetes"] == "`systemctl` did not end within 5 s on k3s-02-server"


def test_kubectl_takes_files_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("no")
    assert split_files(["apply", "-f", str(tmp_path), "-n", "shop"]) == (["apply", "-n", "shop", "-f", "-"], b"a: 1\n---\n{}")
    assert split_files(["apply", f"--filename={tmp_path}/a.yaml"]) == (["apply", "-f", "-"], b"a: 1")
    assert split_files(["logs", "-f", "pod"]) == (["logs", "-f", "pod"], None)
    assert split_files(["exec", "pod", "--", "tail", "-f", "x"]) == (["exec", "pod", "--", "tail", "-f", "x"], None)
    assert split_files(["apply", "-f", "-"]) == (["apply", "-f", "-"], None)
    with pytest.raises(UsageError, match="cannot be read"):
        split_files(["apply", "-f", str(tmp_path / "gone.yaml")])


@pytest.mark.parametrize(("platform", "terminal", "read"), [("linux", False, False), ("win32", True, False), ("win32", False, True)])
def test_what_is_piped_into_kubectl_reaches_it(platform: str, terminal: bool, read: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows it has to be handed on: `multipass exec` would read the console."""
    piped = io.TextIOWrapper(io.BytesIO(b"a: 1"))
    monkeypatch.setattr(piped, "isatty", lambda: terminal)
    monkeypatch.setattr("courselab.cli.kubectl.sys.platform", platform)
    monkeypatch.setattr("courselab.cli.kubectl.sys.stdin", piped)
    assert split_files(["apply", "-f", "-"]) == (["apply", "-f", "-"], b"a: 1" if read else None)


def test_files_and_what_is_piped_go_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    monkeypatch.setattr("courselab.cli.kubectl.sys.stdin", io.TextIOWrapper(io.BytesIO(b"b: 2")))
    assert split_files(["apply", "-f", str(tmp_path / "a.yaml"), "-f", "-"])[1] == b"a: 1\n---\nb: 2"


@pytest.mark.parametrize("words", [["delete", "-f"], ["delete", "-f", ""], ["delete", "--filename="]])
def test_kubectl_without_a_file_does_not_take_those_of_this_folder(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    assert split_files(words) == (words, None)


def test_kubectl_follows_logs_and_fetches_addresses_itself(tmp_path: Path) -> None:
    follow = ["-n", "shop", "--context=x", "logs", "-f", "pod"]
    assert split_files(follow) == (follow, None)
    address = ["apply", "-f", "https://example.com/a.yaml"]
    assert split_files(address) == (address, None)
    (tmp_path / "a.yaml").write_text("a: 1")
    assert split_files([*address, "-f", str(tmp_path / "a.yaml")]) == ([*address, "-f", "-"], b"a: 1")
    assert split_files(["-n", "logs", "apply", "-f", str(tmp_path / "a.yaml")])[1] == b"a: 1"


def test_ctrl_c_while_kubectl_runs_through_sudo_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: object, input: bytes) -> None:
        raise KeyboardInterrupt

    def refused(self: subprocess.Popen[bytes]) -> None:
        self.terminate()
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    monkeypatch.setattr(subprocess.Popen, "kill", refused)
    with pytest.raises(KeyboardInterrupt):
        kubectl.run_with(["sleep", "60"], b"")


@pytest.mark.parametrize(
    ("typed", "machine", "words"),
    [
        ([], None, ()),
        (["edge1"], "edge1", ()),
        (["--", "ls"], None, ("ls",)),
        (["--root", "--", "ls", "-l", "--", "--root"], None, ("ls", "-l", "--", "--root")),
        (["edge1", "--", "ls"], "edge1", ("ls",)),
        (["edge1", "ls", "--", "-l"], "edge1", ("ls", "-l")),
        (["edge1", "--"], "edge1", ()),
    ],
)
def test_what_a_shell_runs_stands_behind_the_dashes(typed: list[str], machine: str | None, words: tuple[str, ...]) -> None:
    params = shell.make_context("lab shell", typed).params
    assert (params["machine"], params["words"]) == (machine, words)


def test_a_task_s_prose_is_wrapped_though_a_line_begins_with_a_command_or_a_name() -> None:
    from courselab.cli.tasks import _wrapped  # pyright: ignore[reportPrivateUsage]

    prose = "“Now every\n`kubectl get pods` is refused, for all of us, and nobody has changed anything here!\n*Dana, operations*”"
    assert max(len(line) for line in _wrapped(prose, 60).splitlines()) <= 60
    assert _wrapped("- one\n- two", 60) == "  - one\n  - two"
    assert _wrapped("```\nls\n```", 60) == "  ```\n  ls\n  ```"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "deplot"], "Lab 02 has no task 'deplot'. why: Its tasks are: deploy."),
        (["--task", "deploy", "--labs", "2"], "One task needs one lab."),
        (["--labs", "0"], "0 is not in the range x>=1"),
    ],
)
def test_verify_says_what_it_cannot_do_before_it_makes_anything(lab: Command, tmp_path: Path, words: list[str], said: str) -> None:
    done = lab("verify", "02", *words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "höme" / "state" / "verify").exists()


def test_a_verification_that_has_not_begun_names_no_cluster(lab: Command, course: Path) -> None:
    (course / "checkers").mkdir()
    (course / "checkers" / "ch02.py").write_text('from courselab.grade import check\n\n\n@check("02.deploy")\ndef deploy(cluster): ...\n')
    done = lab("verify", "02", "--on", "nowhere")
    assert done.returncode == 2
    assert "There is no provider 'nowhere'" in done.stderr
    assert "0 of 0 cases as expected, in 0.0 s." in done.stdout
