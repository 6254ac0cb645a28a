"""Other programs: deadlines, bounded output, closed input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from courselab import process
from courselab.files import write_atomic
from courselab.process import CommandFailed, CommandMissing, CommandTimeout, end_running, run, tied


def test_output_and_code_come_back() -> None:
    done = run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=10)
    assert (done.code, done.text, done.error_text) == (3, "out\n", "err")
    with pytest.raises(CommandFailed) as failed:
        done.check("The test failed")
    assert (failed.value.what, failed.value.why) == ("The test failed", "`/bin/sh` ended with code 3: err")


def test_input_is_closed_unless_given() -> None:
    assert run(["cat"], timeout_s=10).stdout == b""
    assert run(["cat"], input=b"x" * 300_000, timeout_s=10).stdout == b"x" * 300_000
    assert run(["true"], input=b"x" * 300_000, timeout_s=10).code == 0


def test_output_is_cut_at_its_limit() -> None:
    done = run([sys.executable, "-c", "print('y' * 100000)"], timeout_s=20, output_limit=1000)
    assert (len(done.stdout), done.truncated) == (1000, True)


def test_a_deadline_kills_the_program_and_its_children(tmp_path: object) -> None:
    mark = f"{time.time_ns()}"
    with pytest.raises(CommandTimeout, match=r"within 0.2 s"):
        run(["/bin/sh", "-c", f"sh -c 'sleep 60; : {mark}' & sleep 60; : {mark}"], timeout_s=0.2)
    time.sleep(0.1)
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and mark in cmdline(pid)]


def test_whoever_looks_on_each_second_may_end_the_program() -> None:
    looks: list[float] = []

    def look() -> None:
        looks.append(time.monotonic())
        raise CommandMissing("nothing comes of it")

    mark = f"{time.time_ns()}"
    with pytest.raises(CommandMissing, match="nothing comes of it"):
        run(["/bin/sh", "-c", f"sh -c 'sleep 60; : {mark}' & sleep 60; : {mark}"], timeout_s=30, each_second=look)
    assert len(looks) == 1
    time.sleep(0.1)
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and mark in cmdline(pid)]


def test_who_looks_on_changes_nothing_of_the_rest() -> None:
    assert run(["/bin/sh", "-c", "echo done; exit 3"], timeout_s=30, each_second=lambda: None).code == 3
    with pytest.raises(CommandTimeout, match=r"within 0.2 s"):
        run(["sleep", "60"], timeout_s=0.2, each_second=lambda: None)


def test_a_background_child_does_not_hold_the_caller() -> None:
    began = time.monotonic()
    assert run(["/bin/sh", "-c", "sleep 30 & echo done"], timeout_s=20).text == "done\n"
    assert time.monotonic() - began < 15


def test_a_tied_program_ends_when_we_are_killed() -> None:
    mark = f"{time.time_ns()}"
    code = f"from courselab.process import run, tied; run(tied(['sh', '-c', 'sleep 60; : {mark}']), timeout_s=60)"
    ours = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    while not programs_with(f": {mark}", "sleep 60") and time.monotonic() < deadline:
        time.sleep(0.02)
    ours.kill()
    ours.wait()
    while programs_with(f": {mark}", "sleep 60") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not programs_with(f": {mark}", "sleep 60")
    assert tied(["true"])[-1] == "true"


def programs_with(*words: str) -> list[str]:
    """Programs with all these words in their command lines, but Python's."""
    shown = {pid: cmdline(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    return [pid for pid, text in shown.items() if all(word in text for word in words) and "python" not in text]


def test_a_missing_program_is_told() -> None:
    with pytest.raises(CommandMissing, match="no-such-program"):
        run(["no-such-program"], timeout_s=1)


def cmdline(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def test_an_interrupt_ends_what_other_threads_wait_for() -> None:
    with ThreadPoolExecutor() as pool:
        own = f"60.{time.time_ns()}"
        waiting = pool.submit(run, ["sleep", own], timeout_s=120)
        while not any(f"sleep\x00{own}" in cmdline(pid) for pid in os.listdir("/proc") if pid.isdigit()):
            time.sleep(0.01)
        end_running()
        assert waiting.result(timeout=20).code == -signal.SIGKILL


def test_an_interrupt_works_where_there_are_no_process_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor() as pool:
        own = f"60.{time.time_ns()}"
        waiting = pool.submit(run, ["sleep", own], timeout_s=120)
        while not any(f"sleep\x00{own}" in cmdline(pid) for pid in os.listdir("/proc") if pid.isdigit()):
            time.sleep(0.01)
        with monkeypatch.context() as windows:
            windows.setattr("courselab.process.sys.platform", "win32")
            windows.delattr(os, "killpg")
            try:
                end_running()
            except AttributeError:
                windows.undo()
                end_running()
                raise
        assert waiting.result(timeout=20).code != 0


_GOES_ON = """
import os, sys, threading, time
from courselab.process import end_for_good, run
def work():
    for number in range(1000):
        run(["sh", "-c", f"echo > {sys.argv[1]}/{number}; sleep 0.05"], timeout_s=10)
threading.Thread(target=work, daemon=True).start()
while not os.listdir(sys.argv[1]):
    time.sleep(0.01)
end_for_good()
before = len(os.listdir(sys.argv[1]))
time.sleep(0.5)
print(len(os.listdir(sys.argv[1])) - before, flush=True)
os._exit(0)
"""


def test_nothing_starts_any_more_once_the_process_ends(tmp_path: Path) -> None:
    """A thread that goes on to the next program after Ctrl-C would leave that behind, with nobody to end it."""
    assert run([sys.executable, "-c", _GOES_ON, str(tmp_path)], timeout_s=60).text.strip() == "0"


def test_programs_that_end_while_all_are_ended_are_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for one each go on as soon as theirs is killed."""
    running = {subprocess.Popen(["true"], start_new_session=True) for _ in range(3)}
    for one in running:
        one.wait()
    monkeypatch.setattr(process, "_running", running)
    monkeypatch.setattr(os, "killpg", lambda pid, number: running.discard(next(one for one in running if one.pid == pid)))
    end_running()
    assert not running


def test_a_file_that_a_virus_scanner_reads_is_replaced_a_moment_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, refusals = os.replace, [PermissionError(13, "Access is denied")] * 2

    def busy(source: str, target: Path) -> None:
        if refusals:
            raise refusals.pop()
        replace(source, target)

    monkeypatch.setattr("courselab.files.os.replace", busy)
    monkeypatch.setattr("courselab.files.sys.platform", "win32")
    write_atomic(tmp_path / "lab.json", b"{}")
    assert (tmp_path / "lab.json").read_bytes() == b"{}"
    monkeypatch.setattr("courselab.files.sys.platform", "linux")
    refusals.append(PermissionError(13, "Permission denied"))
    with pytest.raises(PermissionError):
        write_atomic(tmp_path / "lab.json", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["lab.json"]
