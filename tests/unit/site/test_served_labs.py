"""What the page is told about this user's labs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from courselab.cli.app import App
from courselab.cli.served_labs import ServedLabs
from courselab.machines import MachineSpec
from courselab.progress import Silent
from courselab.session import kept
from courselab.session.store import LabState, Phase
from tests.unit.fakes import FakeProvider


@pytest.fixture
def app(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setenv("LAB_COURSE", str(course))
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    return App.here()


def test_a_lab_is_watched_on_until_its_cluster_is_another_one(app: App) -> None:
    app.store.save(LabState(chapter="02", provider="local", seed="a", phase=Phase.READY, machines={"server": "k3s-02-server"}))
    file = app.store.kubeconfig("02")
    file.write_text("first")
    labs = ServedLabs(app)
    before = labs.started()
    file.write_text("first")  # of a lab in which the learner installs K3s it is fetched at each look
    os.utime(file, (1, 1))
    assert labs.started() == before
    file.write_text("installed again")
    assert labs.started()[0].key != before[0].key


def test_a_snapshot_that_waits_for_a_stop_is_taken_at_one_on_the_page(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = FakeProvider(cheap=False)
    provider.create(MachineSpec("k3s-02-server", "server", "02"))
    monkeypatch.setattr("courselab.machines.choose.choose_provider", lambda *_, **__: provider)
    machines = {"server": "k3s-02-server"}
    due = "completed: all tasks passed"
    app.store.save(LabState(chapter="02", provider="local", seed="a", phase=Phase.READY, machines=machines, due=due))
    ServedLabs(app).run("stop", "02", Silent())
    assert [one.name for one in kept.all_of(app.store, "02")] == ["completed"]
