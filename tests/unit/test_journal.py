"""A lab's log: everything that ran, nothing secret, never too large; and what stages say of the last time."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from courselab import journal as journals
from courselab.cli.console import Lines
from courselab.errors import LabError
from courselab.journal import Journal, Journalled, without_secrets
from courselab.process import CommandTimeout, run, watch
from courselab.progress import Silent
from courselab.timings import Timings
from tests.unit.conftest import Command


@pytest.mark.parametrize(
    "said",
    [
        f"K3S_TOKEN=K10{'ab' * 32}::server:hush-hush",
        f"joined with K10{'ab' * 32}::node:hush-hush",
        "kubectl create secret generic db --from-literal=user=hush-hush",
        "curl -H 'Authorization: Bearer hush-hush-and-longer'",
        "https://me:hush-hush@mirror.example/k3s",
        "-----BEGIN EC PRIVATE KEY-----\nhush-hush\n-----END EC PRIVATE KEY-----",
        "eyJhbGciOiJSUzI1NiJ9.hush-hush.hush-hush",
        'db_password: "hush-hush"',
        "agent-token hush-hush".replace(" ", "="),
    ],
)
def test_secrets_are_not_kept(tmp_path: Path, said: str) -> None:
    kept = Journal()
    kept.note(f"early: {said}")
    kept.open(tmp_path, "02")
    kept.note(f"late: {said}")
    kept.ran(["sh", "-c", said], 1, 0.1, f"could not: {said}")
    assert "hush-hush" not in (tmp_path / "02.log").read_text()
    assert "hush-hush" not in without_secrets(said)


def test_what_ran_stands_in_the_labs_own_private_file(tmp_path: Path) -> None:
    kept = Journal()
    watch(kept.ran)
    run(["sh", "-c", "echo no room >&2; exit 3"], timeout_s=10)
    kept.open(tmp_path / "logs", "02")
    with pytest.raises(CommandTimeout):
        run(["sleep", "5"], timeout_s=0.05)
    with pytest.raises(LabError), Journalled(Silent(), kept).stage("Starting machines", "server"):
        raise LabError("no")
    text = (tmp_path / "logs" / "02.log").read_text()
    assert "code 3" in text and "no room" in text
    assert "killed" in text and "sleep 5" in text
    assert "failed after" in text and "Starting machines server" in text
    assert stat.S_IMODE((tmp_path / "logs" / "02.log").stat().st_mode) == 0o600


def test_it_is_bounded_and_lines_of_several_threads_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "LIMIT_BYTES", 20_000)
    kept = Journal()
    kept.open(tmp_path, "02")
    threads = [threading.Thread(target=lambda: [kept.note("x\n\x1b[2J" * 200) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["02.log", "02.log.1"]
    assert all(path.stat().st_size < 22_000 for path in files)
    assert all(len(line.split()[0]) == 29 and "\x1b" not in line for path in files for line in path.read_text().splitlines())


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    kept = Journal()
    kept.open(tmp_path / "logs", "02")
    kept.note("lost")


def test_a_stage_says_how_long_it_took_last_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, detail in (("Starting machines", "server"), ("Snapshot", "one"), ("Snapshot", "two")):
        timings = Timings(tmp_path)
        with Lines(timings).stage(name, detail, eta_s=1.0):
            pass
        timings.note(name, detail, 2.34)
        with pytest.raises(LabError), Lines(timings).stage(name, detail):
            raise LabError("a failed one does not count")
    assert capsys.readouterr().err.splitlines() == [
        "Starting machines server …",
        "Starting machines server, last time 2.3 s …",
        "Snapshot one …",
        "Snapshot one, last time 2.3 s …",
        "Snapshot two, last time 2.3 s …",
        "Snapshot two, last time 2.3 s …",
    ]


@pytest.mark.parametrize("damage", ["", "[]", '{"a": "b"}', "\x00"])
def test_a_damaged_file_of_times_is_no_error(tmp_path: Path, damage: str) -> None:
    (tmp_path / "stage-times.json").write_text(damage)
    assert Timings(tmp_path).last("Snapshot", "one") is None
    Timings(tmp_path).note("Snapshot", "one", 1.0)
    assert Timings(tmp_path).last("Snapshot", "one") == 1.0


def test_an_error_names_the_log_and_a_wrong_call_does_not(lab: Command, tmp_path: Path) -> None:
    log = tmp_path / "höme" / "state" / "logs" / "02.log"
    damaged = log.parents[1] / "labs" / "02" / "lab.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    assert f"log: {log}" in lab("tasks", "02").stderr
    assert "cannot be read" in log.read_text()
    assert "log:" not in lab("start", "99").stderr
    assert "log:" not in lab("delete", "02", "--nope").stderr
