"""lab.yaml: what is valid, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from courselab.course import Catalog, Params
from courselab.course.load import load_lab
from courselab.errors import UsageError

VALID = """\
schema: 1
chapter: "02"
title: Workloads
summary: Deployments and rollouts.
minutes: 30
params:
  shop: {choice: [tea, coffee]}
  host: {text: "{shop}.example"}
  port: {number: [8000, 8003]}
  key: {token: 6}
tasks:
  - id: 02.deploy
    title: Deploy {shop}
    text: Make a Deployment in namespace {shop}.
    points: 2
    hints: [one, two, three]
"""


def write(folder: Path, text: str) -> Path:
    lab = folder / "labs" / "02-workloads"
    lab.mkdir(parents=True, exist_ok=True)
    (lab / "lab.yaml").write_text(text, encoding="utf-8")
    return lab


def test_a_valid_lab_is_typed_and_has_defaults(tmp_path: Path) -> None:
    lab = load_lab(write(tmp_path, VALID))
    assert (lab.chapter, lab.possible, lab.servers) == ("02", 2, ["server"])
    assert lab.task("deploy") is lab.task("02.deploy")


@pytest.mark.parametrize(
    ("k3s", "disabled"),
    [
        ("k3s: {config: {disable: [traefik, servicelb]}}", {"traefik", "servicelb"}),
        ('k3s: {config: {disable: "traefik, servicelb"}}', {"traefik", "servicelb"}),
        ("k3s: {config: {disable: true}}", set[str]()),
        ("k3s: {config: {tls-san: [a]}}", set[str]()),
        ("machines: {laptop: {role: none}}\nk3s: {config: {disable: [traefik]}}", set[str]()),
    ],
)
def test_what_a_lab_begins_without(tmp_path: Path, k3s: str, disabled: set[str]) -> None:
    lab = load_lab(write(tmp_path, VALID.replace("params:", f"{k3s}\nparams:")))
    assert lab.disabled == disabled


@pytest.mark.parametrize(
    ("change", "line", "why", "fix"),
    [
        (("points: 2", "pionts: 2"), 15, "`pionts` is not a key here. Did you mean `points`?", "Allowed are: deadline_s, hints, id"),
        (("points: 2", "points: many"), 15, "Expected `int`, got `str`", ""),
        (("hints: [one, two, three]", "hints: [one]"), 16, "1 hints instead of three", "nudge"),
        (("id: 02.deploy", "id: 03.deploy"), 12, "not an id of chapter 02", "02.name"),
        (("Deploy {shop}", "Deploy {shpo}"), 12, "{shpo} is not a parameter", "shop, host, port, key"),
        (('{text: "{shop}.example"}', '{text: "{later}.example"}'), 8, "{later} is not a parameter above", ""),
        (("{choice: [tea, coffee]}", "{choice: [a], token: 3}"), 7, "exactly one way", "choice, number, token, text"),
        (("{number: [8000, 8003]}", "{number: [9, 1]}"), 9, "nothing to draw", ""),
        (("schema: 1", "schema: 7"), 1, "schema 7 is not known", "schema: 1"),
        (('chapter: "02"', "chapter: 2"), 2, "Expected `str`, got `int`", ""),
        (("title: Workloads", "title: [oh"), 4, "not valid YAML", "indentation"),
        (("title: Workloads", "title: Work\bloads"), 1, "not valid YAML", "Compare"),
        (("title: Workloads", "title: 2026-02-30"), 1, "not valid YAML", "Compare"),
        (("minutes: 30", "minutes: 30\ncollect: {agent: {}}"), 6, "no machine is called 'agent'", "server"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, why: str, fix: str) -> None:
    folder = write(tmp_path, VALID.replace(*change))
    with pytest.raises(UsageError) as told:
        load_lab(folder)
    assert f"lab.yaml:{line} " in told.value.what
    assert why in told.value.why
    assert fix in told.value.fix


def test_parameters_are_the_students_own_and_stay(tmp_path: Path) -> None:
    lab = load_lab(write(tmp_path, VALID))
    mine = Params.draw(lab, "seed-a")
    assert mine == Params.draw(lab, "seed-a")
    assert len({tuple(Params.draw(lab, f"seed-{n}").values()) for n in range(50)}) > 30
    assert mine.host == f"{mine.shop}.example"
    assert 8000 <= int(mine.port) <= 8003
    assert mine.fill("to {host}, not {nothing: x} or {unknown}") == f"to {mine.host}, not {{nothing: x}} or {{unknown}}"
    assert mine.environment()["LAB_SHOP"] == mine["shop"]
    with pytest.raises(AttributeError, match="no parameter 'prot'"):
        _ = mine.prot


@pytest.mark.parametrize("name", ["02", "2", "workloads", "02-workloads"])
def test_a_chapter_is_found_by_every_name_it_has(tmp_path: Path, name: str) -> None:
    write(tmp_path, VALID)
    assert Catalog(tmp_path).find(name).chapter == "02"


@pytest.mark.parametrize("name", ["99", "worklods", "../../etc", "/etc/passwd", "", "02\x1b[2J"])
def test_an_unknown_chapter_is_refused_with_what_there_is(tmp_path: Path, name: str) -> None:
    write(tmp_path, VALID)
    with pytest.raises(UsageError) as told:
        Catalog(tmp_path).find(name)
    assert "02" in told.value.why
