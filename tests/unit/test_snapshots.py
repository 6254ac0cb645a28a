"""Snapshots of a lab with machines that exist only in memory: whole or not there, old or new, and never too many."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.errors import LabError, UsageError
from courselab.k3s.release import Release
from courselab.machines import MachineState
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session import kept, snapshots
from courselab.session import start as starting
from courselab.session.context import Context, machines_of
from courselab.session.end import delete, stop
from courselab.session.kept import Snapshot, over_budget
from courselab.session.parts import Parts
from courselab.session.reset import reset
from courselab.session.restore import restore
from courselab.session.start import start
from courselab.session.store import LabState, Phase, Store
from tests.unit.conftest import LAB_YAML
from tests.unit.fakes import FakeMachine, FakeProvider


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    folder = tmp_path / "labs" / "02-workloads"
    folder.mkdir(parents=True)
    (folder / "lab.yaml").write_text(LAB_YAML + "machines: {one: {role: none}, two: {role: none}}\n", encoding="utf-8")
    return load_lab(folder)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Context]:
    paths = Paths(tmp_path, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    (tmp_path / "k3s").write_bytes(b"binary")
    monkeypatch.setattr(starting, "gather_parts", lambda context, lab: Parts(Release("stand-in", "1.36.3", tmp_path / "k3s"), ()))
    yield Context(paths, Store(paths), FakeProvider(), Silent())


def provider_of(context: Context) -> FakeProvider:
    assert isinstance(context.provider, FakeProvider)
    return context.provider


def state_of(context: Context) -> LabState:
    state = context.store.load("02")
    assert state is not None
    return state


def write(context: Context, text: bytes) -> None:
    for machine in machines_of(context, state_of(context)).values():
        assert machine is not None
        machine.put("/mark", text)


def read(context: Context) -> list[bytes]:
    found = [machine for machine in machines_of(context, state_of(context)).values() if machine]
    assert len(found) == 2
    return [machine.get("/mark") for machine in found]


def names(context: Context) -> list[str]:
    return [one.name for one in kept.all_of(context.store, "02")]


@pytest.fixture(params=[True, False], ids=["cheap", "dear"])
def started(request: pytest.FixtureRequest, context: Context, lab: Lab) -> Context:
    provider_of(context).cheap = request.param
    start(context, lab)
    write(context, b"early")
    return context


def test_all_machines_come_back_as_they_were_and_run(started: Context, lab: Lab) -> None:
    one = snapshots.take(started, lab, state_of(started), name="one")
    assert state_of(started).phase is Phase.READY
    write(started, b"late")
    restore(started, lab, state_of(started), one)
    assert read(started) == [b"early", b"early"]
    assert all(machine.state is MachineState.RUNNING for machine in provider_of(started).machines.values())


def test_work_and_progress_are_not_put_back(started: Context, lab: Lab) -> None:
    one = snapshots.take(started, lab, state_of(started))
    mine = started.paths.work / "02" / "mine.txt"
    mine.write_text("written later")
    restore(started, lab, state_of(started), one)
    assert mine.read_text() == "written later"


def test_what_was_before_a_restore_is_kept_where_that_costs_nothing(context: Context, lab: Lab) -> None:
    start(context, lab)
    write(context, b"early")
    one = snapshots.take(context, lab, state_of(context), name="one")
    write(context, b"late")
    restore(context, lab, state_of(context), one)
    assert names(context) == ["one", "before-restore"]
    restore(context, lab, state_of(context), kept.find(context.store, "02", "before-restore"))
    assert read(context) == [b"late", b"late"]


def test_a_reset_keeps_what_there_was_and_it_can_be_had_back(started: Context, lab: Lab) -> None:
    reset(started, lab, state_of(started))
    with pytest.raises(LabError):
        read(started)
    (before,) = kept.all_of(started.store, "02")
    assert (before.name, before.automatic) == ("before-reset", True)
    restore(started, lab, state_of(started), before)
    assert read(started) == [b"early", b"early"]


def test_reset_after_reset_never_mixes_two_lives(started: Context, lab: Lab) -> None:
    for number in range(5):
        write(started, b"life %d" % number)
        reset(started, lab, state_of(started))
    assert names(started) == ["before-reset-3", "before-reset-4", "before-reset-5"]
    newest = kept.newest(started.store, "02")
    assert newest is not None
    restore(started, lab, state_of(started), newest)
    assert read(started) == [b"life 4", b"life 4"]
    needed = {*state_of(started).machines.values(), *kept.machines_in_snapshots(started.store, "02")}
    assert {machine.name for machine in started.provider.list("02")} == needed


def test_a_snapshot_that_fails_is_not_there_at_all(started: Context, lab: Lab) -> None:
    provider_of(started).fail_at = "snapshot k3s-02-two one"
    with pytest.raises(LabError, match="No space left"):
        snapshots.take(started, lab, state_of(started), name="one")
    assert names(started) == []
    assert all(machine.snapshots() == [] for machine in started.provider.list())


def test_what_a_killed_snapshot_left_is_not_in_the_way(started: Context, lab: Lab) -> None:
    started.provider.list()[0].snapshot("snapshot")
    assert snapshots.take(started, lab, state_of(started)).name == "snapshot"


def test_what_a_restore_that_was_cut_off_goes_back_to_cannot_be_removed(started: Context, lab: Lab) -> None:
    """Without it neither `lab start` nor anything but a reset would help."""
    one = snapshots.take(started, lab, state_of(started), name="one")
    ready = state_of(started)
    started.store.save(replace(ready, restoring="one").to(Phase.RESTORING))
    with pytest.raises(UsageError, match="is needed"):
        snapshots.remove(started, one)
    start(started, lab)
    snapshots.remove(started, one)
    assert "one" not in names(started)


def test_a_restore_that_was_cut_off_is_finished_by_start(started: Context, lab: Lab) -> None:
    one = snapshots.take(started, lab, state_of(started), name="one")
    write(started, b"late")
    first = started.provider.list()[0]
    first.restore("one")  # as far as a killed `lab restore` came
    started.store.save(replace(state_of(started), restoring="one").to(Phase.RESTORING))
    assert start(started, lab).phase is Phase.READY
    assert read(started) == [b"early", b"early"]
    assert one.name in names(started)


def test_a_restore_that_fails_before_it_changed_anything_leaves_the_lab_as_it_was(context: Context, lab: Lab) -> None:
    start(context, lab)
    one = snapshots.take(context, lab, state_of(context), name="one")
    write(context, b"late")
    provider_of(context).full = True
    with pytest.raises(LabError, match="No space left"):
        restore(context, lab, state_of(context), one)
    assert state_of(context).phase is Phase.READY
    assert read(context) == [b"late", b"late"]


def test_a_snapshot_that_lost_a_machine_is_refused_before_anything_is_changed(started: Context, lab: Lab) -> None:
    one = snapshots.take(started, lab, state_of(started), name="one")
    write(started, b"late")
    provider_of(started).machines["k3s-02-two"].kept.pop("one")
    with pytest.raises(LabError, match="not whole"):
        restore(started, lab, state_of(started), one)
    assert read(started) == [b"late", b"late"]


def test_a_snapshot_nobody_asked_for_waits_for_the_next_stop_where_it_is_dear(context: Context, lab: Lab) -> None:
    provider_of(context).cheap = False
    start(context, lab)
    assert snapshots.take_by_itself(context, lab, state_of(context), name="completed", why="all tasks are done") is None
    assert names(context) == []
    stop(context, state_of(context), lab)
    assert names(context) == ["completed"]
    assert state_of(context).phase is Phase.STOPPED
    stop(context, state_of(context), lab)
    assert names(context) == ["completed"]


def test_noting_a_snapshot_for_later_takes_nothing_back(context: Context, lab: Lab) -> None:
    """A check takes a while, and its lab may be stopped or deleted meanwhile."""
    provider_of(context).cheap = False
    old = start(context, lab)
    stop(context, old, lab)
    snapshots.take_by_itself(context, lab, old, name="completed", why="all tasks passed")
    assert state_of(context).phase is Phase.STOPPED
    delete(context, "02")
    snapshots.take_by_itself(context, lab, old, name="completed", why="all tasks passed")
    assert context.store.chapters() == []


def test_a_lab_runs_on_when_a_dear_snapshot_of_it_fails(context: Context, lab: Lab) -> None:
    provider_of(context).cheap = False
    start(context, lab)
    provider_of(context).fail_at = "snapshot k3s-02-two snapshot"
    with pytest.raises(LabError, match="No space"):
        snapshots.take(context, lab, state_of(context))
    assert {machine.state for machine in context.provider.list("02")} == {MachineState.RUNNING}
    assert names(context) == []


def test_where_snapshots_are_dear_none_from_before_a_solution_is_taken_after_it(
    context: Context, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider_of(context).cheap = False
    start(context, lab)
    said: list[str] = []
    monkeypatch.setattr(context.progress, "say", said.append)
    assert snapshots.take_before_solution(context, lab, state_of(context), lab.tasks[0]) is None
    assert "`lab snapshot --lab 02` before you type the solution" in said[0]
    stop(context, state_of(context), lab)
    assert names(context) == []


def test_a_solved_lab_is_kept_once_and_again_after_a_reset(context: Context, lab: Lab) -> None:
    start(context, lab)
    assert snapshots.take_completed(context, lab, state_of(context))
    assert snapshots.take_completed(context, lab, state_of(context)) is None
    reset(context, lab, state_of(context))
    assert snapshots.take_completed(context, lab, state_of(context))
    assert names(context) == ["completed", "before-reset", "completed-2"]


def test_a_solved_lab_whose_snapshot_waits_is_not_noted_twice(context: Context, lab: Lab) -> None:
    provider_of(context).cheap = False
    start(context, lab)
    for _ in range(2):
        assert snapshots.take_completed(context, lab, state_of(context)) is None
    stop(context, state_of(context), lab)
    assert names(context) == ["completed"]


def test_a_lab_that_was_stopped_or_deleted_since_it_was_checked_stays_so(context: Context, lab: Lab) -> None:
    """`lab check` in one terminal, `lab stop` or `lab delete` in another."""
    provider_of(context).cheap = False
    start(context, lab)
    checked = state_of(context)
    stop(context, checked, lab)
    assert snapshots.take_completed(context, lab, checked) is None
    assert state_of(context).phase is Phase.STOPPED
    context.store.remove("02")
    assert snapshots.take_completed(context, lab, checked) is None
    assert context.store.load("02") is None


def test_what_was_tried_is_kept_before_giving_up(context: Context, lab: Lab) -> None:
    start(context, lab)
    write(context, b"tried")
    assert snapshots.take_before_solution(context, lab, state_of(context), lab.tasks[0])
    write(context, b"solution")
    restore(context, lab, state_of(context), kept.find(context.store, "02", "before-solution"))
    assert read(context) == [b"tried", b"tried"]


def test_what_was_tried_is_kept_once_however_often_the_solution_is_looked_at(context: Context, lab: Lab) -> None:
    """Each further one would hold more of the solution, and push out what was kept before it."""
    start(context, lab)
    for _ in range(4):
        snapshots.take_before_solution(context, lab, state_of(context), lab.tasks[0])
    assert names(context) == ["before-solution"]
    restore(context, lab, state_of(context), kept.find(context.store, "02", "before-solution"))
    stop(context, state_of(context), lab)
    assert snapshots.take_before_solution(context, lab, state_of(context), lab.tasks[0])  # another try


def test_names(started: Context, lab: Lab) -> None:
    snapshots.take(started, lab, state_of(started), name="one")
    for wrong in ("one", "One", "../one", "", "-x", "x" * 60):
        if wrong:
            with pytest.raises(UsageError):
                snapshots.take(started, lab, state_of(started), name=wrong)
    with pytest.raises(UsageError, match="no snapshot 'two'") as told:
        kept.find(started.store, "02", "two")
    assert "one" in told.value.why


def snapshot(name: str, hour: int, *, automatic: bool = True, size: int = 1, chapter: str = "02") -> Snapshot:
    at = f"2026-01-01T{hour:02}:00:00+00:00"
    return Snapshot(name=name, chapter=chapter, why="", automatic=automatic, at=at, machines={}, size_bytes=size)


def test_the_oldest_automatic_snapshots_go_first_and_asked_for_ones_never() -> None:
    asked = snapshot("asked", 1, automatic=False, size=50)
    old, middle, new = (snapshot(name, hour, size=30) for hour, name in enumerate(("old", "middle", "new"), 2))
    assert over_budget([asked, old, middle, new], 200) == []
    assert over_budget([asked, old, middle, new], 120) == [old]
    assert over_budget([asked, old, middle, new], 10) == [old, middle, new]
    many = [snapshot(f"s{hour}", hour) for hour in range(6)]
    assert over_budget(many, 1000) == many[:3]
    assert over_budget([*many[:3], snapshot("other", 0, chapter="03")], 1000) == []
    older, caught_up = (msgspec.structs.replace(snapshot(name, 0), why=kept.CAUGHT_UP) for name in ("caught-up", "caught-up-2"))
    assert over_budget([older, caught_up, *many[:3]], 1000) == [older], "the newest of these is no burden to the others"
    assert over_budget([caught_up, *many], 1000) == many[:3]


def test_a_damaged_record_is_no_snapshot(started: Context, lab: Lab) -> None:
    snapshots.take(started, lab, state_of(started), name="one")
    (started.store.snapshots("02") / "bad.json").write_bytes(b"{")
    assert names(started) == ["one"]


def test_a_lab_that_is_deleted_while_its_snapshots_are_measured_stays_deleted(
    context: Context, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any lab's reset measures the snapshots of all."""
    start(context, lab)
    snapshots.take_locked(context, lab, state_of(context), name="one", why="", automatic=True)

    def slowly(self: FakeMachine, name: str) -> int:
        if context.store.chapters():
            delete(context, "02")
        return 1

    monkeypatch.setattr(FakeMachine, "snapshot_bytes", slowly)
    snapshots.measured(context, "02")
    assert not context.store.folder("02").exists()


def test_dropping_the_last_snapshot_of_an_earlier_life_removes_its_machines(context: Context, lab: Lab) -> None:
    provider_of(context).cheap = False
    start(context, lab)
    reset(context, lab, state_of(context))
    assert len(context.provider.list("02")) == 4
    snapshots.drop(context, kept.find(context.store, "02", "before-reset"))
    assert sorted(machine.name for machine in context.provider.list("02")) == sorted(state_of(context).machines.values())
