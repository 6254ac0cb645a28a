"""Verbs that look at labs or remove them, when something about a lab, a provider or a machine is not as it should be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from courselab.cli import delete, doctor, start, status
from courselab.errors import LabError, UsageError
from courselab.machines import Availability, Completed, MachineSpec, choose
from courselab.paths import Paths, find_paths
from courselab.process import CommandTimeout
from courselab.session.store import LabState, Phase, Store
from tests.unit.fakes import FakeProvider


class Gone(FakeProvider):
    """Multipass, after it was removed from the computer."""

    def available(self) -> Availability:
        return Availability(False, "There is no command `multipass`.", "Install Multipass.")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    local = FakeProvider()
    monkeypatch.setattr(choose, "providers", lambda *_, **__: {"multipass": Gone, "local": lambda: local})
    for verb in (delete, doctor):
        monkeypatch.setattr(verb, "providers", choose.providers, raising=False)
    return local


@pytest.fixture
def paths(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_COURSE", str(course))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return find_paths()


def started(paths: Paths, chapter: str, provider: FakeProvider, *, on: str = "local") -> None:
    name = f"k3s-{chapter}-one"
    provider.create(MachineSpec(name=name, hostname="one", lab=chapter))
    Store(paths).save(LabState(chapter=chapter, provider=on, seed="s", phase=Phase.READY, machines={"one": name}, distribution="k3s"))


def test_a_lab_whose_state_is_damaged_can_be_deleted(paths: Paths, provider: FakeProvider) -> None:
    started(paths, "02", provider)
    (paths.labs / "02" / "lab.json").write_text("{half")
    delete.command.main(["02", "--yes"], standalone_mode=False)
    assert (provider.machines, Store(paths).chapters()) == ({}, [])


def test_a_damaged_state_does_not_keep_the_others(paths: Paths, provider: FakeProvider) -> None:
    for chapter in ("02", "03"):
        started(paths, chapter, provider)
    (paths.labs / "02" / "lab.json").write_text("{half")
    delete.command.main(["--all", "--yes"], standalone_mode=False)
    assert (provider.machines, Store(paths).chapters()) == ({}, [])


def test_the_lab_of_a_chapter_that_is_no_more_can_be_deleted(paths: Paths, provider: FakeProvider) -> None:
    started(paths, "02", provider)
    started(paths, "17", provider)
    delete.command.main(["17", "--yes"], standalone_mode=False)
    assert (list(provider.machines), Store(paths).chapters()) == (["k3s-02-one"], ["02"])


def test_where_the_provider_is_gone_it_is_told_what_is_left_of_its_lab(paths: Paths, provider: FakeProvider) -> None:
    started(paths, "02", provider, on="multipass")
    with pytest.raises(LabError) as told:
        delete.command.main(["02", "--yes"], standalone_mode=False)
    assert str(paths.labs / "02") in told.value.fix


def test_status_shows_the_labs_it_can_beside_those_it_cannot(
    paths: Paths, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    for chapter, on in (("01", "local"), ("02", "local"), ("03", "multipass")):
        started(paths, chapter, provider, on=on)
    with pytest.raises(LabError, match="Lab 01 is of a chapter that is not in") as told:
        status.command.main([], standalone_mode=False)
    assert "lab delete 01" in told.value.fix
    assert "Lab 02  Workloads  ready" in capsys.readouterr().out


def test_status_of_a_machine_too_busy_to_answer_says_so(paths: Paths, provider: FakeProvider, capsys: pytest.CaptureFixture[str]) -> None:
    def late(argv: Sequence[str]) -> Completed:
        raise CommandTimeout("`systemctl` did not end within 5 s")

    started(paths, "02", provider)
    provider.machines["k3s-02-one"].answers = late
    status.command.main(["02"], standalone_mode=False)
    assert "did not end within 5 s" in capsys.readouterr().out


def test_another_provider_for_a_lab_that_has_one_is_refused(paths: Paths, provider: FakeProvider) -> None:
    """After a first start that failed on Multipass, say."""
    started(paths, "02", provider, on="multipass")
    with pytest.raises(UsageError, match="are on multipass") as told:
        start.command.main(["02", "--on", "local"], standalone_mode=False)
    assert "lab delete 02" in told.value.fix


@pytest.mark.parametrize(("wish", "code", "chosen"), [("", 0, "local"), ("local", 0, "local"), ("multipass", 4, None)])
def test_doctor_goes_by_the_provider_that_is_asked_for(
    paths: Paths,
    provider: FakeProvider,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    wish: str,
    code: int,
    chosen: str,
) -> None:
    monkeypatch.setenv("LAB_PROVIDER", wish)
    assert doctor.command.main(["--json"], standalone_mode=False) == code
    assert json.loads(capsys.readouterr().out)["chosen"] == chosen
