"""docs/reference says what the commands, the model of lab.yaml and the checkers' functions say today."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import click
import jsonschema
import pytest
import yaml

from courselab.cli.main import SECTIONS
from courselab.cli.site import reference_pages
from courselab.grade.evidence import K3sState, PortState, UnitState
from courselab.grade.nodes import Port

COURSE = Path(__file__).parents[3]
REFERENCE = COURSE / "docs" / "reference"
PAGES = reference_pages()
SCHEMA = json.loads((REFERENCE / "lab.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    """`./lab site reference` writes it anew."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name], "run ./lab site reference"


def test_nothing_else_lies_there() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)


@pytest.mark.parametrize("verb", [verb for verbs in SECTIONS.values() for verb in verbs])
def test_every_verb_has_its_heading_and_an_example(verb: str) -> None:
    section = PAGES["commands.md"].partition(f"\n### lab {verb}\n")[2].partition("\n### ")[0]
    assert f"lab {verb}" in section
    assert "```console" in section, f"lab {verb} shows no example"


@pytest.mark.parametrize("path", sorted(COURSE.glob("labs/*/lab.yaml")), ids=lambda path: path.parent.name)
def test_every_lab_fits_the_schema_that_editors_use(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), SCHEMA)


def test_the_schema_refuses_what_lab_refuses() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1, "chapter": "02", "title": "T", "summary": "S", "minutes": 1, "tasks": [{"id": "02.a"}]}, SCHEMA)


def test_every_option_of_every_verb_is_explained() -> None:
    import importlib

    for verb in (verb for verbs in SECTIONS.values() for verb in verbs):
        command: click.Command = importlib.import_module(f"courselab.cli.{verb.replace('-', '_')}").command
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"lab {verb} {parameter.opts[0]}"


def test_a_sentence_of_the_checkers_page_stays_in_one_paragraph() -> None:
    """Only the explanation of an argument, `name`: …, begins a new one."""
    broken = [part for part in PAGES["checkers.md"].split("\n\n") if part.endswith(",")]
    assert not broken


@pytest.mark.parametrize("kind", [K3sState, UnitState, PortState, Port])
def test_the_checkers_page_says_what_is_in_all_that_a_machine_tells(kind: type) -> None:
    assert all(f"| `.{name}` |" in PAGES["checkers.md"] for name in inspect.get_annotations(kind))
