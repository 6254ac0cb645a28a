"""A lab's life with machines that exist only in memory: idempotent, resumable, never losing the learner's files."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.errors import LabError, Unreachable
from courselab.k3s.release import Release
from courselab.machines import MachineState
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session import start as starting
from courselab.session.context import Context, running_machine
from courselab.session.end import delete, reset, stop
from courselab.session.lock import lab_lock
from courselab.session.parts import Parts
from courselab.session.progress_record import ProgressRecord
from courselab.session.start import start
from courselab.session.store import LabState, Phase, Store
from tests.unit.conftest import LAB_YAML
from tests.unit.fakes import FakeProvider


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two machines without K3s, so that no cluster is needed."""
    folder = tmp_path / "labs" / "02-workloads"
    (folder / "work" / "deep").mkdir(parents=True)
    (folder / "work" / "deep" / "starter.yaml").write_text("starter")
    (folder / "lab.yaml").write_text(LAB_YAML + "machines: {one: {role: none}, two: {role: none}}\n", encoding="utf-8")
    return load_lab(folder)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Context]:
    paths = Paths(tmp_path, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    release = Release("stand-in", "1.36.3", tmp_path / "k3s")

    def gather(context: Context, lab: Lab) -> Parts:
        context.provider.prepare()
        return Parts(release, ())

    monkeypatch.setattr(starting, "gather_parts", gather)
    yield Context(paths, Store(paths), FakeProvider(), Silent())


def happened(context: Context) -> list[str]:
    assert isinstance(context.provider, FakeProvider)
    return context.provider.happened


def test_start_makes_machines_and_is_remembered(context: Context, lab: Lab) -> None:
    state = start(context, lab)
    assert (state.phase, state.distribution, state.version) == (Phase.READY, "stand-in", "1.36.3")
    assert context.store.load("02") == state
    assert sorted(happened(context)) == ["prepare", "start k3s-02-one", "start k3s-02-two"]
    profile = running_machine(context, state, "two").get("/etc/profile.d/courselab.sh").decode()
    assert "export LAB_SHOP=" in profile


def test_start_again_changes_nothing(context: Context, lab: Lab) -> None:
    first = start(context, lab)
    happened(context).clear()
    assert start(context, lab).seed == first.seed
    assert happened(context) == []


def test_start_goes_on_where_it_stopped(context: Context, lab: Lab) -> None:
    assert isinstance(context.provider, FakeProvider)
    context.provider.fail_after = 1
    with pytest.raises(LabError, match="No space left"):
        start(context, lab)
    begun = context.store.load("02")
    assert begun is not None and begun.phase is Phase.STARTING
    context.provider.fail_after = None
    assert start(context, lab).seed == begun.seed


def test_stop_and_start_keep_the_machines(context: Context, lab: Lab) -> None:
    stop(context, start(context, lab))
    state = context.store.load("02")
    assert state is not None and state.phase is Phase.STOPPED
    with pytest.raises(Unreachable, match="Machine one of lab 02 is stopped"):
        running_machine(context, state, "one")
    happened(context).clear()
    assert start(context, lab).phase is Phase.READY
    assert sorted(happened(context)) == ["start k3s-02-one", "start k3s-02-two"]


def test_a_lab_that_lost_a_machine_says_so(context: Context, lab: Lab) -> None:
    start(context, lab)
    assert isinstance(context.provider, FakeProvider)
    del context.provider.machines["k3s-02-two"]
    with pytest.raises(LabError, match="Lab 02 is damaged") as told:
        start(context, lab)
    assert "lab reset 02" in told.value.fix


def test_reset_makes_it_anew_with_the_same_values(context: Context, lab: Lab) -> None:
    state = start(context, lab)
    mine = context.paths.work / "02" / "mine.txt"
    mine.write_text("notes")
    happened(context).clear()
    again = reset(context, lab, state)
    assert (again.seed, mine.read_text()) == (state.seed, "notes")
    assert sorted(happened(context))[:2] == ["delete k3s-02-one", "delete k3s-02-two"]


def test_delete_removes_all_but_the_learners_files(context: Context, lab: Lab) -> None:
    start(context, lab)
    ProgressRecord(context.paths.state).add_attempt(report(2))
    delete(context, "02")
    assert context.store.chapters() == []
    assert context.provider.list() == []
    assert (context.paths.work / "02" / "deep" / "starter.yaml").read_text() == "starter"
    assert ProgressRecord(context.paths.state).best()["02"].earned == 2
    delete(context, "02")


def test_starter_files_never_overwrite_the_learners(context: Context, lab: Lab) -> None:
    starter = context.paths.work / "02" / "deep" / "starter.yaml"
    starter.parent.mkdir(parents=True)
    starter.write_text("changed by the learner")
    start(context, lab)
    assert starter.read_text() == "changed by the learner"


def test_two_commands_at_once_are_told_apart(context: Context, lab: Lab) -> None:
    with lab_lock(context.paths.state, "02", "reset"), pytest.raises(LabError, match="Lab 02 is busy") as told:
        start(context, lab)
    assert "lab reset (process" in told.value.why
    assert start(context, lab).phase is Phase.READY


def test_machines_may_be_unknown_or_mistyped(context: Context, lab: Lab) -> None:
    state = start(context, lab)
    with pytest.raises(LabError, match="no machine 'three'"):
        running_machine(context, state, "three")
    assert running_machine(context, state).state is MachineState.RUNNING


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema": 1}', b"\xff\xfe", b'{"schema": 2}'])
def test_a_damaged_state_file_is_told(context: Context, damage: bytes) -> None:
    path = context.paths.labs / "02" / "lab.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    with pytest.raises(LabError, match="state of lab 02 cannot be read"):
        context.store.load("02")


def report(earned: float, verdict: str = "pass") -> dict[str, object]:
    checks = [{"id": "02.deploy", "verdict": verdict}]
    return {"schema": 1, "lab": "02", "score": {"earned": earned, "possible": 2}, "checks": checks}


def test_progress_keeps_the_best_and_counts_hints(tmp_path: Path) -> None:
    record = ProgressRecord(tmp_path)
    assert (record.best(), record.solved("02.deploy")) == ({}, False)
    record.add_attempt(report(0, "fail"))
    assert not record.solved("02.deploy")
    record.add_attempt(report(2))
    record.add_attempt(report(1, "fail"))
    assert record.solved("02.deploy")
    assert (record.best()["02"].earned, record.best()["02"].possible) == (2, 2)
    assert [record.take_hint("02.deploy", 3) for _ in range(5)] == [1, 2, 3, 3, 3]
    assert (tmp_path / "progress.db").stat().st_mode & 0o777 == 0o600


def test_state_files_are_private(context: Context, lab: Lab) -> None:
    start(context, lab)
    path = context.paths.labs / "02" / "lab.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert LabState(**{**json.loads(path.read_text()), "phase": Phase.READY}).chapter == "02"
