"""`lab doctor --fix`: what crashed runs left goes, everything else stays. Machines exist only in memory; the real host's part is tested live."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from msgspec.structs import replace

from courselab.course import Lab
from courselab.course.load import load_lab
from courselab.k3s.release import Release
from courselab.machines import MachineSpec
from courselab.machines.capacity import available_mib
from courselab.paths import Paths
from courselab.progress import Silent
from courselab.session import kept, room, snapshots
from courselab.session import start as starting
from courselab.session.context import Context
from courselab.session.leftovers import clean_up
from courselab.session.lock import lab_lock
from courselab.session.parts import Parts
from courselab.session.start import start
from courselab.session.store import Store
from tests.unit.conftest import LAB_YAML
from tests.unit.fakes import FakeProvider


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    folder = tmp_path / "labs" / "02-workloads"
    folder.mkdir(parents=True)
    (folder / "lab.yaml").write_text(LAB_YAML + "machines: {one: {role: none}}\n", encoding="utf-8")
    return load_lab(folder)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Context]:
    paths = Paths(tmp_path, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    (tmp_path / "k3s").touch()
    monkeypatch.setattr(starting, "gather_parts", lambda context, lab: Parts(Release("stand-in", "1.36.3", tmp_path / "k3s"), ()))
    yield Context(paths, Store(paths), FakeProvider(), Told())


def provider_of(context: Context) -> FakeProvider:
    assert isinstance(context.provider, FakeProvider)
    return context.provider


def old(path: Path) -> Path:
    os.utime(path, (time.time() - 1e6,) * 2)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and "locks" not in path.parts}


def test_what_is_in_use_is_not_touched(context: Context, lab: Lab, tmp_path: Path) -> None:
    state = start(context, lab)
    snapshots.take(context, lab, state, name="mine")
    (context.paths.cache / "k3s").mkdir(parents=True)
    old_download = context.paths.cache / "k3s" / "k3s.part"
    old_download.write_text("half")
    old(old_download)
    (context.paths.state / ".student.abcd").write_text("being written now")
    before, machines = everything(tmp_path), dict(provider_of(context).machines)
    assert clean_up([context], ["02"], remove=True) == []
    assert everything(tmp_path) == before
    assert provider_of(context).machines == machines
    assert [one.name for one in kept.all_of(context.store, "02")] == ["mine"]


def test_what_crashed_runs_left_is_listed_then_removed(context: Context, lab: Lab) -> None:
    start(context, lab)
    provider = provider_of(context)
    provider.create(MachineSpec("k3s-05-server", "server", "05"))
    provider.create(MachineSpec("k3s-02-two", "two", "02"))
    provider.machines["k3s-02-one"].snapshot("never-finished")
    for folder in ("cache/standin/.0123.new", "cache/standin/parts/.kube-0123.new", "cache/images/ab/.making-x", "state/labs/07"):
        made = context.paths.course / folder
        made.mkdir(parents=True)
        (made / "part").write_text("half")
        old(made)
    written = context.paths.labs / "02" / ".lab.json.ab12"
    written.write_text("{")
    old(written)
    listed = clean_up([context], ["02"], remove=False)
    assert len(listed) == 8, listed
    assert "k3s-05-server" in provider.machines and written.exists()
    assert clean_up([context], ["02"], remove=True) == listed
    assert list(provider.machines) == ["k3s-02-one"]
    assert provider.machines["k3s-02-one"].snapshots() == []
    assert clean_up([context], ["02"], remove=True) == []
    assert not written.exists() and not (context.paths.labs / "07").exists()


def test_a_lab_that_is_worked_on_and_one_whose_state_is_damaged_are_left_alone(context: Context, lab: Lab) -> None:
    start(context, lab)
    provider = provider_of(context)
    provider.create(MachineSpec("k3s-05-server", "server", "05"))
    (context.paths.labs / "02" / "lab.json").write_text("{")
    with lab_lock(context.paths.state, "05", "start"):
        assert clean_up([context], ["02", "05"], remove=True) == []
    assert sorted(provider.machines) == ["k3s-02-one", "k3s-05-server"]


def test_a_restore_that_was_cut_off_keeps_what_it_goes_on_with(context: Context, lab: Lab) -> None:
    state = start(context, lab)
    provider_of(context).machines["k3s-02-one"].snapshot("before-restore")
    context.store.save(replace(state, keeping="before-restore"))
    assert clean_up([context], ["02"], remove=True) == []


@pytest.mark.parametrize(("free", "says"), [(500, "0.5 GiB are free"), (50_000, ""), (0, "")])
def test_start_warns_with_numbers_before_the_host_swaps(
    context: Context, lab: Lab, monkeypatch: pytest.MonkeyPatch, free: int, says: str
) -> None:
    monkeypatch.setattr(room, "available_mib", lambda: free)
    start(context, lab)
    assert isinstance(context.progress, Told)
    assert says in "".join(context.progress.lines)
    assert bool(context.progress.lines) == bool(says)


def test_available_memory_is_what_linux_says(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       8000000 kB\nMemFree:  10 kB\nMemAvailable:    2097152 kB\n")
    assert available_mib(tmp_path / "meminfo") == 2048
    assert available_mib(tmp_path / "none") == 0
