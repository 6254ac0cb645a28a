"""Which provider is used, and whether this computer can hold what is asked of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from courselab.errors import LabError, UsageError
from courselab.machines import Availability, choose
from courselab.machines.capacity import Capacity, Need, measure
from courselab.paths import Paths, find_paths
from courselab.progress import Silent


class Kind:
    def __init__(self, name: str, usable: bool) -> None:
        self.name = name
        self.usable = usable

    def available(self) -> Availability:
        return Availability(self.usable, "" if self.usable else f"no {self.name} here", "" if self.usable else "get it")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return find_paths({"LAB_HOME": str(tmp_path)})


def choosing(monkeypatch: pytest.MonkeyPatch, paths: Paths, wish: str = "", *, multipass: bool = True, local: bool = True) -> str:
    kinds = {"multipass": lambda: Kind("multipass", multipass), "local": lambda: Kind("local", local)}
    monkeypatch.setattr(choose, "providers", lambda *_, **__: kinds)
    return choose.choose_provider(paths, Silent(), wish, ask=lambda _: True).name


def test_multipass_comes_first_where_it_can_be_used() -> None:
    assert list(choose.providers(find_paths(), Silent(), ask=lambda _: True)) == ["multipass", "local"]


def test_a_wish_then_the_configuration_then_the_first_that_is_usable(monkeypatch: pytest.MonkeyPatch, paths: Paths) -> None:
    assert choosing(monkeypatch, paths) == "multipass"
    assert choosing(monkeypatch, paths, multipass=False) == "local"
    paths.config.mkdir(parents=True)
    (paths.config / "config.toml").write_text('provider = "local"\n')
    assert choosing(monkeypatch, paths) == "local"
    assert choosing(monkeypatch, paths, "multipass") == "multipass"


def test_what_cannot_be_chosen_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch, paths: Paths) -> None:
    with pytest.raises(UsageError, match="no provider 'moon'"):
        choosing(monkeypatch, paths, "moon")
    with pytest.raises(LabError) as told:
        choosing(monkeypatch, paths, "multipass", multipass=False)
    assert (told.value.why, told.value.fix) == ("no multipass here", "get it")
    with pytest.raises(LabError) as told:
        choosing(monkeypatch, paths, multipass=False, local=False)
    assert told.value.why == "multipass: no multipass here; local: no local here"
    paths.config.mkdir(parents=True)
    (paths.config / "config.toml").write_text("provider = \n")
    with pytest.raises(UsageError, match=r"config\.toml"):
        choosing(monkeypatch, paths)


def test_what_a_lab_needs_and_what_is_missing_has_numbers() -> None:
    host = Capacity(cpus=2, memory_mib=4096, free_disk_gib=20.0, virtualisation=True)
    assert Need.of("multipass", [(2, 2048)]).missing_from(host) == []
    assert Need.of("multipass", [(2, 2048), (4, 2048)]).missing_from(replace(host, free_disk_gib=10.0)) == [
        "4 CPUs are needed, there are 2",
        "5.0 GiB of memory are needed, there are 4.0 GiB",
        "12 GiB of free disk are needed, there are 10.0 GiB",
    ]
    assert Need.of("local", [(2, 2048), (2, 2048)]).missing_from(host) == [], "local machines take only what they use"
    assert Need.of("multipass", [(2, 2048)] * 3).missing_from(replace(host, memory_mib=0)) == [], "what cannot be told is not refused"


def test_this_computer_is_measured(tmp_path: Path) -> None:
    seen = measure(tmp_path / "not" / "there" / "yet")
    assert seen.cpus == os.cpu_count() and seen.memory_mib > 100 and seen.free_disk_gib > 0
