"""What a learner reached is kept, only grows, survives a damaged file, and is shown at a glance."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from courselab.errors import LabError
from courselab.paths import find_paths
from courselab.session.progress_record import ProgressRecord
from courselab.session.store import LabState, Phase, Store

Lab = Callable[..., subprocess.CompletedProcess[str]]


def report(verdicts: dict[str, str], chapter: str = "02", possible: int = 4) -> dict[str, Any]:
    earned = sum(verdict == "pass" for verdict in verdicts.values())
    checks = [{"id": f"{chapter}.{task}", "verdict": verdict} for task, verdict in verdicts.items()]
    return {"schema": 1, "lab": chapter, "score": {"earned": earned, "possible": possible}, "checks": checks}


def rows(state: Path, query: str) -> list[Any]:
    with sqlite3.connect(state / "progress.db") as database:
        return database.execute(query).fetchall()


def test_only_verdicts_that_changed_are_noted(tmp_path: Path) -> None:
    record = ProgressRecord(tmp_path)
    for verdict in ("fail", "fail", "pass", "pass", "fail"):
        record.add_attempt(report({"deploy": verdict, "scale": "blocked"}))
    changed = rows(tmp_path, "SELECT task, before, verdict FROM verdicts ORDER BY id")
    assert changed == [
        ("02.deploy", "", "fail"),
        ("02.scale", "", "blocked"),
        ("02.deploy", "fail", "pass"),
        ("02.deploy", "pass", "fail"),
    ]
    assert record.solved("02.deploy")
    assert not record.solved("02.scale")
    assert record.passing("02") == set()
    assert record.attempts()["02"].count == 5


def test_what_passes_now_is_the_newest_attempt_s_and_of_this_lab(tmp_path: Path) -> None:
    record = ProgressRecord(tmp_path)
    record.add_attempt(report({"deploy": "pass", "scale": "fail"}))
    assert record.passing("02") == {"02.deploy"}
    assert record.passing("02", since="2000-01-01T00:00:00+00:00") == {"02.deploy"}
    assert record.passing("02", since="2999-01-01T00:00:00+00:00") == set()
    assert record.passing("03") == set()


def test_of_each_task_is_known_what_it_took(tmp_path: Path) -> None:
    record = ProgressRecord(tmp_path)
    record.take_hint("02.deploy", 3)
    record.saw_solution("02.deploy", gave_up=True)
    record.add_attempt(report({"deploy": "pass"}))
    record.saw_solution("02.deploy", gave_up=False)
    found = record.tasks("02")["02.deploy"]
    assert (found.verdict, found.hints, found.gave_up) == ("pass", 1, True)
    assert found.solved_at
    assert found.solution_at
    assert record.tasks("03") == {}


@pytest.mark.parametrize("table", ["attempts", "hints", "verdicts", "solutions"])
def test_nothing_is_ever_changed_or_removed(tmp_path: Path, table: str) -> None:
    record = ProgressRecord(tmp_path)
    record.add_attempt(report({"deploy": "pass"}))
    record.take_hint("02.deploy", 3)
    record.saw_solution("02.deploy", gave_up=False)
    for change in (f"UPDATE {table} SET at = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(sqlite3.IntegrityError, match="only grow"):
            rows(tmp_path, change)


def test_looking_makes_no_file(tmp_path: Path) -> None:
    record = ProgressRecord(tmp_path / "state")
    assert (record.best(), record.tasks("02"), record.passing("02"), record.hints("02"), record.attempts()) == ({}, {}, set(), {}, {})
    assert not (tmp_path / "state").exists()


def test_the_file_is_private(tmp_path: Path) -> None:
    ProgressRecord(tmp_path).take_hint("02.deploy", 3)
    assert (tmp_path / "progress.db").stat().st_mode & 0o777 == 0o600


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 200)


def half(path: Path) -> None:
    record = ProgressRecord(path.parent)
    for _ in range(200):
        record.add_attempt(report({"deploy": "pass"}))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def holes(path: Path) -> None:
    half(path)
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 4096):
        data[at : at + 64] = b"\xff" * 64
    path.write_bytes(data)


def another_program_s(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE attempts (something)")


@pytest.mark.parametrize("damage", [garbage, half, holes, another_program_s])
def test_a_damaged_file_is_set_aside_and_said_and_everything_goes_on(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(tmp_path / "progress.db")
    before = (tmp_path / "progress.db").read_bytes()
    said: list[str] = []
    record = ProgressRecord(tmp_path, said.append)
    record.add_attempt(report({"deploy": "pass"}))
    assert record.best()["02"].earned == 1
    [sentence] = said
    [aside] = tmp_path.glob("progress.db.damaged-*")
    assert str(aside) in sentence
    assert aside.read_bytes()[:1000] == before[:1000]


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "progress.db").touch()
    said: list[str] = []
    ProgressRecord(tmp_path, said.append).add_attempt(report({"deploy": "pass"}))
    assert said == []


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "progress.db") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(LabError, match="newer version"):
        ProgressRecord(tmp_path).best()


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "progress.db").mkdir()
    with pytest.raises(LabError, match="cannot be used"):
        ProgressRecord(tmp_path).best()


def test_a_file_of_the_first_version_grows_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "progress.db") as database:
        database.executescript("""
            CREATE TABLE attempts (id INTEGER PRIMARY KEY, at TEXT NOT NULL, chapter TEXT NOT NULL, earned REAL NOT NULL,
                                   possible REAL NOT NULL, report TEXT NOT NULL);
            CREATE TABLE hints (at TEXT NOT NULL, task TEXT NOT NULL, level INTEGER NOT NULL, PRIMARY KEY (task, level));
        """)
        for verdict in ("fail", "pass", "pass"):
            one = report({"deploy": verdict})
            database.execute(
                "INSERT INTO attempts (at, chapter, earned, possible, report) VALUES ('2026-01-01', '02', 1, 4, ?)", (json.dumps(one),)
            )
    record = ProgressRecord(tmp_path)
    assert record.solved("02.deploy")
    assert [row[0] for row in rows(tmp_path, "SELECT verdict FROM verdicts")] == ["fail", "pass"]
    record.add_attempt(report({"deploy": "pass"}))
    assert len(rows(tmp_path, "SELECT 1 FROM verdicts")) == 2


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    def work() -> None:
        for _ in range(5):
            ProgressRecord(tmp_path).add_attempt(report({"deploy": "pass"}))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ProgressRecord(tmp_path).attempts()["02"].count == 30
    assert len(rows(tmp_path, "SELECT 1 FROM verdicts")) == 1


def test_a_damaged_record_is_set_aside_once_though_two_commands_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one would put the new record over the damaged one, with which all progress may still be rescued."""
    (tmp_path / "progress.db").write_bytes(b"damaged" * 1000)
    connect, others = ProgressRecord._connect, [ProgressRecord(tmp_path)]  # pyright: ignore[reportPrivateUsage]

    def after_another(self: ProgressRecord) -> sqlite3.Connection:
        try:
            return connect(self)
        except sqlite3.DatabaseError:
            if others:
                others.pop().take_hint("02.deploy", 3)
            raise

    monkeypatch.setattr(ProgressRecord, "_connect", after_another)
    assert ProgressRecord(tmp_path).take_hint("02.deploy", 3) == 2
    (aside,) = tmp_path.glob("progress.db.damaged-*")
    assert aside.read_bytes() == b"damaged" * 1000


# The verbs --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def state(course: Path, tmp_path: Path) -> Path:
    """A started lab 02 with a solution; returns the folder of progress.db."""
    solution = course / "labs" / "02-workloads" / "solution"
    solution.mkdir()
    (solution / "deploy.sh").write_text("# on: server\n# user: student\nkubectl create deployment $LAB_SHOP --image=${LAB_SHOP}\n")
    paths = find_paths({"LAB_HOME": str(tmp_path / "höme"), "LAB_COURSE": str(course)})
    started = LabState(chapter="02", provider="local", seed="x", phase=Phase.READY, machines={}, created_at="2026-01-01T00:00:00+00:00")
    Store(paths).save(started)
    return paths.state


def test_a_solution_is_shown_after_the_task_passed_or_to_who_gives_up(lab: Lab, state: Path) -> None:
    refused = lab("solution", "deploy")
    assert refused.returncode == 4
    assert "has not passed yet" in refused.stderr
    assert "--give-up" in refused.stderr
    assert refused.stdout == ""
    given = lab("solution", "deploy", "--give-up")
    assert given.stdout.startswith("kubectl create deployment ")
    assert "$" not in given.stdout
    assert "given up" in given.stderr
    ProgressRecord(state).add_attempt(report({"deploy": "pass"}, possible=2))
    shown = json.loads(lab("solution", "02.deploy", "--json").stdout)
    assert (shown["task"], shown["gave_up"]) == ("02.deploy", False)
    assert rows(state, "SELECT task, gave_up FROM solutions ORDER BY id") == [("02.deploy", 1), ("02.deploy", 0)]


def test_a_solution_is_shown_also_where_the_machines_cannot_be_had(lab: Lab, state: Path) -> None:
    file = state / "labs" / "02" / "lab.json"
    file.write_text(file.read_text().replace('"local"', '"gone"'))
    given = lab("solution", "deploy", "--give-up")
    assert given.stdout.startswith("kubectl create deployment ")
    assert "No snapshot was taken" in given.stderr
    assert given.returncode == 0


def test_hints_go_on_where_they_were(lab: Lab, state: Path) -> None:
    texts = [json.loads(lab("hint", "--json").stdout) for _ in range(4)]
    assert [one["hint"] for one in texts] == [1, 2, 3, 3]
    assert texts[0]["text"] == "first"
    assert "{" not in texts[2]["text"]
    ProgressRecord(state).add_attempt(report({"deploy": "pass"}))
    done = lab("hint")
    assert done.returncode == 2
    assert "Every task has passed" in done.stderr
    ProgressRecord(state).add_attempt(report({"deploy": "fail"}))
    assert json.loads(lab("hint", "--json").stdout)["task"] == "02.deploy"


def test_a_lab_made_anew_has_its_hints_again(lab: Lab, state: Path, course: Path, tmp_path: Path) -> None:
    ProgressRecord(state).add_attempt(report({"deploy": "pass"}))
    store = Store(find_paths({"LAB_HOME": str(tmp_path / "höme"), "LAB_COURSE": str(course)}))
    store.save(LabState(chapter="02", provider="local", seed="x", phase=Phase.READY, machines={}, created_at="2999-01-01T00:00:00+00:00"))
    assert json.loads(lab("hint", "--json").stdout)["task"] == "02.deploy"


def test_progress_at_a_glance_and_in_full(lab: Lab, state: Path) -> None:
    assert "not begun" in lab("progress").stdout
    record = ProgressRecord(state)
    record.take_hint("02.deploy", 3)
    record.saw_solution("02.deploy", gave_up=True)
    assert "◪" in lab("progress").stdout
    record.add_attempt(report({"deploy": "pass"}, possible=2))
    glance = lab("progress").stdout
    assert "02  Workloads" in glance
    assert "■" in glance
    assert "1 check, 1 hint, 1 given up" in glance
    assert "1 of 1 tasks, 1 of 2 points." in glance
    full = lab("progress", "02").stdout
    assert "02.deploy" in full
    assert "Deploy" in full
    assert "{" not in full
    assert "solved on" in full
    [chapter] = json.loads(lab("progress", "--json").stdout)["chapters"]
    assert (chapter["chapter"], chapter["earned"], chapter["possible"], chapter["checks"]) == ("02", 1, 2, 1)
    [task] = chapter["tasks"]
    assert (task["id"], task["verdict"], task["hints"], task["gave_up"]) == ("02.deploy", "pass", 1, True)


def test_progress_of_a_chapter_that_is_not_there(lab: Lab, state: Path) -> None:
    assert lab("progress", "77").returncode == 2


def test_a_damaged_record_stops_no_verb(lab: Lab, state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    (state / "progress.db").write_bytes(b"garbage" * 1000)
    done = lab("hint")
    assert done.returncode == 0
    assert "was damaged" in done.stderr
    assert "02.deploy  hint 1 of 3" in done.stdout
