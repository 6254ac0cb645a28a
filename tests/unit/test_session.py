"""A lab's life with machines that exist only in memory: idempotent, resumable, never losing the learner's files."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from msgspec.structs import replace

from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.course.scripts import Script
from courselab.errors import LabError, Unreachable
from courselab.k3s.kubeconfig import K3S_YAML
from courselab.k3s.release import Release
from courselab.machines import MachineState
from courselab.machines.capacity import Capacity
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session import parts, resume, room, setup
from courselab.session import start as starting
from courselab.session.cluster import admin_kubeconfig
from courselab.session.context import Context, machines_of, running_machine
from courselab.session.end import delete, stop
from courselab.session.lock import lab_lock
from courselab.session.parts import Parts
from courselab.session.progress_record import ProgressRecord
from courselab.session.reset import reset
from courselab.session.setup import ScriptFailed
from courselab.session.start import start
from courselab.session.store import LabState, Phase, Store
from tests.unit.conftest import LAB_YAML
from tests.unit.fakes import FakeMachine, FakeProvider


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
    (tmp_path / "k3s").write_bytes(b"binary")
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
    assert sorted(happened(context)) == ["prepare", "start k3s-02-one", "start k3s-02-two", "sweep 02"]
    profile = running_machine(context, state, "two").get("/etc/profile.d/courselab.sh").decode()
    assert "export LAB_SHOP=" in profile and "export LAB_K3S_VERSION=v1.36.3\n" in profile


def test_a_cluster_that_the_learner_makes_is_found(context: Context, lab: Lab) -> None:
    state = start(context, lab)
    machines = {host: machine for host, machine in machines_of(context, state).items() if machine}
    assert admin_kubeconfig(context.store, lab, machines) is None, "no cluster is a finding, not an error"
    machines["two"].put(K3S_YAML, b"server: https://127.0.0.1:6443")
    assert admin_kubeconfig(context.store, lab, machines) == b"server: https://192.0.2.11:6443"
    assert context.store.kubeconfig("02").stat().st_mode & 0o077 == 0
    machines["one"].stop()
    assert admin_kubeconfig(context.store, lab, machines), "a machine that does not answer says nothing about the cluster"
    machines["one"].start()
    assert isinstance(machines["two"], FakeMachine)
    machines["two"].files.clear()
    assert admin_kubeconfig(context.store, lab, machines) is None


def test_a_lab_may_prepare_its_machines(context: Context, lab: Lab) -> None:
    (lab.folder / "setup.sh").write_text("# on: one\n# user: root\ntrue\n# on: two\n# user: root\nfalse\n")
    state = start(context, lab)
    ran = {host: [argv[-1] for argv in machine.ran if argv[0] == "/bin/sh"] for host, machine in machines(context, state).items()}
    assert ran == {"one": ["# on: one\n# user: root\ntrue\n"], "two": ["# on: two\n# user: root\nfalse\n"]}


def test_a_preparation_that_fails_is_told_and_done_again(context: Context, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab.folder / "setup.sh").write_text("# on: one\nfalse\n")

    def refuse(script: Script, _: object) -> None:
        raise ScriptFailed(f"{script.path.name} ended with 1")

    with monkeypatch.context() as patch:
        patch.setattr(setup, "run_script", refuse)
        with pytest.raises(LabError, match="Lab 02 could not be prepared"):
            start(context, lab)
    assert start(context, lab).phase is Phase.READY


def machines(context: Context, state: LabState) -> dict[str, FakeMachine]:
    found = {host: context.provider.get(name) for host, name in state.machines.items()}
    return {host: machine for host, machine in found.items() if isinstance(machine, FakeMachine)}


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


@pytest.mark.parametrize(("free_gib", "says"), [(0.02, "The disk is full"), (50.0, "No space left")])
def test_whatever_a_full_disk_breaks_is_told_as_a_full_disk(
    context: Context, lab: Lab, monkeypatch: pytest.MonkeyPatch, free_gib: float, says: str
) -> None:
    assert isinstance(context.provider, FakeProvider)
    context.provider.fail_after = 1
    monkeypatch.setattr(room, "measure", lambda _: Capacity(2, 4096, free_gib, None))
    monkeypatch.setattr(starting, "refuse_if_too_small", lambda *_: None)  # it had room when it began
    with pytest.raises(LabError, match=says) as failed:
        start(context, lab)
    assert "No space left" in f"{failed.value.what} {failed.value.why}", "what it stopped is told, too"


def test_stop_and_start_keep_the_machines(context: Context, lab: Lab) -> None:
    stop(context, start(context, lab), lab)
    state = context.store.load("02")
    assert state is not None and state.phase is Phase.STOPPED
    with pytest.raises(Unreachable, match="Machine one of lab 02 is stopped"):
        running_machine(context, state, "one")
    happened(context).clear()
    assert start(context, lab).phase is Phase.READY
    assert sorted(happened(context)) == ["start k3s-02-one", "start k3s-02-two"]


def test_a_lab_leaves_a_network_that_the_host_now_uses(context: Context, lab: Lab) -> None:
    """Running machines are stopped for it; where they wrote each other's addresses down, the new ones stand, also if `lab` was killed meanwhile."""
    start(context, lab)
    provider = context.provider
    assert isinstance(provider, FakeProvider)
    provider.network = "192.0.2.0/24"
    provider.addresses = {"k3s-02-one": "198.51.100.11", "k3s-02-two": "198.51.100.12"}
    happened(context).clear()
    state = start(context, lab)
    assert sorted(happened(context)[:2]) == ["stop k3s-02-one", "stop k3s-02-two"]
    assert state.addresses == {"one": "198.51.100.11", "two": "198.51.100.12"}
    for machine in provider.machines.values():
        assert any("192.0.2.11" in argv and "198.51.100.12" in argv for argv in machine.ran)
        machine.ran.clear()
    start(context, lab)
    assert [machine.ran for machine in provider.machines.values()] == [[], []], "told once"


def test_addresses_that_swapped_are_mended_where_they_are_written_down(tmp_path: Path) -> None:
    environment = tmp_path / "etc/systemd/system/k3s-agent.service.env"
    environment.parent.mkdir(parents=True)
    environment.write_text("K3S_URL=https://192.0.2.11:6443\nOTHER=192.0.2.110 192.0.2.12 1192.0.2.11\n")
    script = resume._MOVE.replace(" /etc/", f" {tmp_path}/etc/").replace(" /home/", f" {tmp_path}/home/")  # pyright: ignore[reportPrivateUsage]
    subprocess.run(["sh", "-c", script, "sh", "192.0.2.11", "192.0.2.12", "192.0.2.12", "192.0.2.11"], check=True, timeout=20)
    assert environment.read_text() == "K3S_URL=https://192.0.2.12:6443\nOTHER=192.0.2.110 192.0.2.11 1192.0.2.11\n"


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
    assert happened(context)[-1] == "sweep 02"


def test_a_reset_that_was_cut_short_is_finished_as_a_reset(context: Context, lab: Lab) -> None:
    """Else the learner would go on in the old cluster and believe it new."""
    state = start(context, lab)
    assert isinstance(context.provider, FakeProvider)
    context.provider.fail_after = 0
    with pytest.raises(LabError, match="No space left"):
        reset(context, lab, state)
    context.provider.fail_after = None
    happened(context).clear()
    assert start(context, lab).phase is Phase.READY
    assert {"delete k3s-02-one", "delete k3s-02-two"} & set(happened(context))


def test_reset_removes_machines_the_lab_no_longer_has(context: Context, lab: Lab) -> None:
    state = start(context, lab)
    (lab.folder / "lab.yaml").write_text(LAB_YAML + "machines: {two: {role: none}}\n", encoding="utf-8")
    smaller = load_lab(lab.folder)
    again = reset(context, smaller, state)
    assert list(again.machines) == [machine.spec.hostname for machine in context.provider.list()] == ["two"]


def test_delete_removes_all_but_the_learners_files(context: Context, lab: Lab) -> None:
    start(context, lab)
    ProgressRecord(context.paths.state).add_attempt(report(2))
    delete(context, "02")
    assert context.store.chapters() == []
    assert context.provider.list() == []
    assert (context.paths.work / "02" / "deep" / "starter.yaml").read_text() == "starter"
    assert ProgressRecord(context.paths.state).best()["02"].earned == 2
    delete(context, "02")


def test_a_delete_that_was_killed_leaves_no_half_lab(context: Context, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machines gone, its state still there: a start must not call that damaged."""
    start(context, lab)
    monkeypatch.setattr(context.store, "remove", lambda _: None)
    delete(context, "02")
    assert start(context, lab).phase is Phase.READY


def test_starter_files_never_overwrite_the_learners(context: Context, lab: Lab) -> None:
    starter = context.paths.work / "02" / "deep" / "starter.yaml"
    starter.parent.mkdir(parents=True)
    starter.write_text("changed by the learner")
    start(context, lab)
    assert starter.read_text() == "changed by the learner"


def test_a_learners_file_may_be_where_a_starter_folder_would_be(context: Context, lab: Lab) -> None:
    mine = context.paths.work / "02" / "deep"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    start(context, lab)
    assert mine.read_text() == "mine"


def test_a_work_folder_that_cannot_be_made_is_told(context: Context, lab: Lab) -> None:
    """A course that a teacher put where only they may write, say."""
    context.paths.work.write_text("no folder")
    with pytest.raises(LabError, match="cannot be used") as told:
        start(context, lab)
    assert "LAB_HOME" in told.value.fix


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


def test_an_interrupt_does_not_wait_for_what_is_being_built(context: Context, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, let_go = threading.Event(), threading.Event()

    def compile_for_long(*_: object) -> None:
        let_go.wait(30)
        ended.set()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "_k3s_and_images", compile_for_long)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            parts.gather_parts(context, lab)
        assert not ended.is_set()
    finally:
        signal.signal(signal.SIGALRM, before)
        let_go.set()


def test_a_stop_goes_by_what_the_lab_is_when_its_turn_comes(context: Context, lab: Lab) -> None:
    """A password may be typed between reading the state and holding the lock; meanwhile another command changes the lab."""
    old = start(context, lab)
    context.store.save(replace(old, due="completed: all tasks passed", caught_up="key"))
    stop(context, old, lab)
    now = context.store.load("02")
    assert now and (now.phase, now.caught_up) == (Phase.STOPPED, "key")
    delete(context, "02")
    with pytest.raises(LabError, match="is gone"):
        stop(context, old, lab)
    assert context.store.chapters() == []


def grown(lab: Lab) -> Lab:
    """The same chapter after an update of the course gave it one more machine."""
    path = lab.folder / "lab.yaml"
    path.write_text(path.read_text().replace("two: {role: none}", "two: {role: none}, three: {role: none}"))
    return load_lab(lab.folder)


def test_a_lab_of_a_chapter_that_got_another_machine_is_told_and_can_be_reset(context: Context, lab: Lab) -> None:
    state = start(context, lab)
    stop(context, state, lab)
    lab = grown(lab)
    with pytest.raises(LabError, match="before its chapter was changed") as told:
        start(context, lab)
    assert "three" in told.value.why and "lab reset 02" in told.value.fix
    assert list(reset(context, lab, state).machines) == ["one", "two", "three"]


def test_a_lab_that_was_begun_before_its_chapter_got_another_machine_is_finished(context: Context, lab: Lab) -> None:
    assert isinstance(context.provider, FakeProvider)
    context.provider.fail_after = 1
    with pytest.raises(LabError):
        start(context, lab)
    context.provider.fail_after = None
    assert list(start(context, grown(lab)).machines) == ["one", "two", "three"]


def test_a_work_folder_that_was_removed_is_made_again_before_a_machine_needs_it(context: Context, lab: Lab) -> None:
    stop(context, start(context, lab), lab)
    shutil.rmtree(context.paths.work / "02")
    start(context, lab)
    assert (context.paths.work / "02").is_dir()
