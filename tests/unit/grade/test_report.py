"""The report: points, exit codes, the JSON document, and what stands on the screen."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from courselab.grade.evidence import K3sName
from courselab.grade.render import print_report
from courselab.grade.report import Report, make_report
from courselab.grade.verdict import Judged, Trouble, VerdictName
from tests.unit.grade.builders import evidence, lab, task

GOLDEN = Path(__file__).parent / "golden"
LAB = lab(
    task("02.deploy", title="The shop runs in {namespace}", points=2),
    task("02.image", title="Version 2 is rolled out", points=3),
    task("02.ready", title="Only pods that are ready get requests", points=2),
    task("02.requests", title="The scheduler knows what a pod needs", points=2),
    task("02.heal", title="A lost pod is replaced", points=1),
    task("02.port", title="The node listens", points=1),
)
JUDGED = [
    Judged("02.deploy", VerdictName.PASS, credit=1.0),
    Judged(
        "02.image",
        VerdictName.FAIL,
        message="Deployment web: spec.template.spec.containers[web].image: expected course/web:2, found course/web:9",
        plain=True,
        subject="Deployment web",
        expected="course/web:2",
        actual="course/web:9",
        path="spec.template.spec.containers[web].image",
        why=(
            "Deployment web → ReplicaSet web-6d9 → Pod web-6d9-x2k",
            "container web: there is no tag 9 of image course/web; here are course/web:1, course/web:2",
        ),
        diagnosis="image-tag",
        next="Compare the image in the object with the names that are there",
    ),
    Judged("02.ready", VerdictName.WAITING, message="Deployment web is rolling out", waits_for="Deployment web is rolling out"),
    Judged(
        "02.requests",
        VerdictName.FAIL,
        credit=0.5,
        message="Requests are megabytes, not mebibytes",
        expected="64Mi",
        actual="64M",
        path="resources.requests.memory",
        why=("done: a CPU request", "not yet: a memory request"),
        next="kubectl explain pod.spec.containers.resources",
    ),
    Judged("02.heal", VerdictName.BLOCKED, message="needs 02.ready first"),
    Judged("02.port", VerdictName.ERROR, message="Machine server does not answer: no route to host", trouble=Trouble.UNREACHABLE),
]


def report(judged: list[Judged] | None = None, **parts: Any) -> Report:
    return make_report(LAB, evidence(**parts), JUDGED if judged is None else judged, seconds=0.414)


def passed(*but: Judged) -> list[Judged]:
    others = {one.id: one for one in but}
    return [others.get(one.id, Judged(one.id, VerdictName.PASS, credit=1.0)) for one in LAB.tasks]  # type: ignore[attr-defined]


def screen(found: Report, *, width: int = 90, color: bool = False, encoding: str = "utf-8") -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_report(
        found, Console(file=out, width=width, force_terminal=color, no_color=not color, color_system="standard" if color else None)
    )
    out.flush()
    return out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_the_json_document() -> None:
    document = report().to_json()
    assert json.loads(json.dumps(document)) == document
    assert {key: document[key] for key in ("schema", "lab", "student", "k3s", "provider", "score", "seconds")} == {
        "schema": 1,
        "lab": "02",
        "student": "ada",
        "k3s": {"distribution": "stand-in", "version": "v1.36.3"},
        "provider": "local",
        "score": {"earned": 3, "possible": 11, "undecided": 1},
        "seconds": 0.41,
    }
    assert [one["verdict"] for one in document["checks"]] == ["pass", "fail", "waiting", "fail", "blocked", "error"]
    assert [one["earned"] for one in document["checks"]] == [2, 0, 0, 1, 0, 0]
    assert document["checks"][0]["title"] == "The shop runs in shop"
    assert list(document["checks"][1]) == [
        "id", "title", "verdict", "earned", "points", "expected", "actual", "path", "why", "diagnosis", "message", "next",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("judged", "code"),
    [
        (passed(), 0),
        (passed(JUDGED[1]), 1),
        (passed(JUDGED[2]), 1),
        (passed(JUDGED[4]), 1),
        (passed(JUDGED[1], JUDGED[5]), 3),
        (passed(JUDGED[5], Judged("02.heal", VerdictName.ERROR, trouble=Trouble.OURS)), 4),
    ],
)
def test_the_exit_code_is_the_highest_that_applies(judged: list[Judged], code: int) -> None:
    assert report(judged).exit_code == code


def test_part_of_a_point() -> None:
    found = report(passed(Judged("02.image", VerdictName.FAIL, credit=1 / 3), Judged("02.heal", VerdictName.FAIL, credit=0.25)))
    assert found.to_json()["score"]["earned"] == 8.25 + 0
    assert [one["earned"] for one in found.to_json()["checks"]][4] == 0.25


def test_what_strangers_wrote_cannot_take_over_the_screen() -> None:
    nasty = "\x1b[2J\x1b]0;owned\x07a\u202eb\nline two\x9b31m" + "x" * 10_000
    found = report(
        [Judged("02.deploy", VerdictName.FAIL, message=nasty, actual=f"a{nasty}", expected="[bold]x[/bold]", why=(nasty,), next=nasty)]
    )
    out = screen(found)
    for text in (out, json.dumps(found.to_json(), ensure_ascii=False)):
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(text)
        assert "\\x1b[2J" in text or "\\\\x1b[2J" in text
    assert "[bold]x[/bold]" in out
    assert max(map(len, out.splitlines())) <= 90
    assert len(out) < 4000


@pytest.mark.parametrize("name", ["mixed-90", "mixed-50", "passed-90", "nothing-to-do-90"])
def test_the_screen(name: str, request: pytest.FixtureRequest) -> None:
    kind, _, width = name.rpartition("-")
    judged = {"mixed": JUDGED, "passed": passed(), "nothing-to-do": passed(JUDGED[5])}[kind]
    out = screen(report(judged, k3s=K3sName(distribution="stand-in", version="v1.36.3")), width=int(width))
    expected = GOLDEN / f"{name}.txt"
    assert out == expected.read_text(encoding="utf-8"), f"if this is what is wanted now, put it into {expected}:\n{out}"


def test_colour_is_left_to_the_console() -> None:
    assert "\x1b[" in screen(report(), color=True)
    assert "\x1b[" not in screen(report())


def test_a_terminal_without_check_marks_gets_letters() -> None:
    out = screen(report(passed()), encoding="ascii")
    assert out.splitlines()[2].startswith("+ 02.deploy")
