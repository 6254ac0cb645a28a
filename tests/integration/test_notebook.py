"""docs/notebooks/03-services.md, run as the notebook that it is, with a real lab behind it: first as it stands, then with a learner's answers in it."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import jupytext
import nbclient
import pytest

from courselab.course import Catalog
from courselab.course.scripts import read_scripts
from courselab.notebook.result import JSON_TYPE
from tests.integration.command import COURSE, LONG_S, LabCommand

SOURCE = COURSE / "docs" / "notebooks" / "03-services.md"
LAB = Catalog(COURSE).find("03")
ANSWER = re.compile(r"^# (03\.\w+): write your commands below this line$", re.MULTILINE)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabCommand]:
    command = LabCommand(tmp_path_factory.mktemp("a home"))
    try:
        yield command
    finally:
        command.ok("delete", "--all", "--yes")


def run(lab: LabCommand, answers: dict[str, str]) -> Any:
    """The notebook, run from its first cell to its last with the answers written in; no cell may fail."""
    notebook = jupytext.read(SOURCE)
    for cell in notebook.cells:
        if found := ANSWER.search(cell.source):
            cell.source += f"\n{answers.get(found[1], '')}"
    own = {
        "IPYTHONDIR": str(lab.home / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(lab.home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(lab.home / "jupyter"),
    }
    client = nbclient.NotebookClient(notebook, timeout=LONG_S, kernel_name="python3", resources={"metadata": {"path": str(COURSE)}})
    client.execute(env={**lab.environment(), **own})
    return notebook


def results(notebook: Any) -> list[dict[str, Any]]:
    """What the cells with a check gave, in order, in all three forms."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "execute_result"]
    return [dict(output.data) for output in outputs if JSON_TYPE in output.data]


def test_the_notebook_runs_as_it_stands_and_with_answers(lab: LabCommand, tmp_path: Path) -> None:
    tasks = {task.id for task in LAB.tasks}
    assert {found[1] for found in ANSWER.finditer(SOURCE.read_text(encoding="utf-8"))} == tasks, "a cell for every task"

    untouched = results(run(lab, {}))
    assert len(untouched) == 3
    for seen in untouched:
        assert {check["verdict"] for check in seen[JSON_TYPE]["checks"]} <= {"fail", "blocked"}

    solved = results(run(lab, {f"03.{one.task}": one.text for one in read_scripts(LAB, "solution")}))
    assert solved[1][JSON_TYPE]["checks"][0]["verdict"] == "pass"
    last = solved[-1]
    assert last[JSON_TYPE]["score"] == {"earned": LAB.possible, "possible": LAB.possible, "undecided": 0}
    assert f"{LAB.possible} of {LAB.possible} points" in last["text/plain"]
    assert f"<strong>{LAB.possible} of {LAB.possible} points</strong>" in last["text/html"]
