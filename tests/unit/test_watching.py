"""When a watch ends because the lab is another one, what it keeps of what it saw, and when a checker is read again."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from courselab.cli.watch_displays import Controls, Screen
from courselab.cli.watching import Attempts, Lasting
from courselab.errors import LabError
from courselab.grade.evidence import Evidence
from courselab.grade.report import make_report
from courselab.grade.standing import Update
from courselab.grade.verdict import Judged, VerdictName
from courselab.paths import find_paths
from courselab.session.lock import lab_lock
from courselab.session.progress_record import ProgressRecord
from courselab.session.store import LabState, Phase, Store
from tests.unit.grade.builders import evidence, lab
from tests.unit.site.fake_labs import report

READY = LabState(chapter="02", provider="local", seed="a", phase=Phase.READY, machines={"server": "k3s-02-server"}, created_at="1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(find_paths({"LAB_HOME": str(tmp_path)}))
    found.save(READY)
    return found


def changed(**parts: Any) -> Callable[[Store], None]:
    import msgspec

    return lambda store: store.save(msgspec.structs.replace(READY, **parts))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda store: store.touch("02"), ""),
        (changed(phase=Phase.STOPPED), "Lab 02 was stopped."),
        (changed(phase=Phase.RESETTING), "Lab 02 is being made anew."),
        (changed(phase=Phase.RESTORING), "Lab 02 is being put back to a snapshot."),
        (changed(phase=Phase.STARTING), "Lab 02 is being started."),
        (changed(seed="b", created_at="2"), "Lab 02 was made anew."),
        (lambda store: store.remove("02"), "Lab 02 was deleted."),
    ],
)
def test_a_watch_lasts_as_long_as_its_lab(store: Store, change: Callable[[Store], None], says: str) -> None:
    lasting = Lasting(store, READY)
    assert lasting() == ""
    change(store)
    file = store.folder("02") / "lab.json"
    if file.exists():
        os.utime(file, ns=(1, 1))  # another time than before, however coarse the clock is
    assert lasting() == says


def update(verdict: VerdictName, *, full: bool = False) -> Update:
    found: Evidence = evidence()
    judged = [Judged("02.deploy", verdict)]
    return Update(make_report(lab(), found, judged, seconds=0), found, tuple(judged), full=full)


def test_what_a_watch_sees_is_kept_when_a_task_passes_first_and_when_asked_for(tmp_path: Path) -> None:
    record = ProgressRecord(tmp_path)
    attempts = Attempts(record)
    for verdict in (VerdictName.FAIL, VerdictName.PASS, VerdictName.FAIL, VerdictName.PASS):
        attempts.note(update(verdict))
    assert record.attempts()["02"].count == 1
    assert record.solved("02.deploy")
    Attempts(record).note(update(VerdictName.PASS))  # another watch, later
    assert record.attempts()["02"].count == 1
    attempts.note(update(VerdictName.FAIL, full=True))
    assert record.attempts()["02"].count == 2


def test_a_hint_that_cannot_be_had_is_told_and_the_keys_go_on() -> None:
    """The record of progress may be busy or damaged; an error in the thread of the keys would leave q without effect."""

    def no_hint(_: Update) -> str:
        raise LabError("The record of your progress cannot be used", why="The disk is full.")

    console = Console(file=io.StringIO(), force_terminal=True, width=90, height=30)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        screen = Screen(console, live, Controls(lambda: None, lambda: None, no_hint))
        screen.show(Update(report(), evidence(), ()))
        screen.pressed("h")
    assert "The disk is full." in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_check_notes_that_a_lab_was_used_but_not_over_a_command_that_changes_it(store: Store, tmp_path: Path) -> None:
    with lab_lock(find_paths({"LAB_HOME": str(tmp_path)}).state, "02", "stop"):
        store.touch("02")
        assert store.load("02") == READY
    store.touch("02")
    found = store.load("02")
    assert found
    assert found.used_at
