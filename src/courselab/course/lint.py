"""What a lab must have beside a valid lab.yaml, found without running anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from courselab.course.model import Lab
from courselab.course.params import placeholders
from courselab.course.scripts import read_scripts

_CHECK = re.compile(r"@check\(\s*[\"'](\d\d\.[a-z0-9-]+)[\"']")
_DIAGNOSIS = re.compile(r"@diagnose\(\s*[\"'](\d\d\.[a-z0-9-]+)[\"']\s*,\s*(?:slug\s*=\s*)?[\"']([a-z0-9-]+)[\"']")


def lint_lab(lab: Lab, course: Path) -> list[str]:
    """Everything that is missing or does not fit, one line each: "file: what"."""
    return [*_checkers(lab, course), *_scripts(lab), *_text(lab, course), *_manifests(lab)]


def _checkers(lab: Lab, course: Path) -> Iterator[str]:
    path = course / "checkers" / f"ch{lab.chapter}.py"
    if not path.is_file():
        yield f"{path}: is missing"
        return
    source = path.read_text(encoding="utf-8")
    checked, tasks = set(_CHECK.findall(source)), {task.id for task in lab.tasks}
    yield from (f"{path}: no @check for task {id}" for id in sorted(tasks - checked))
    yield from (f"{path}: @check for {id}, which is no task" for id in sorted(checked - tasks))
    yield from (f"{path}: @diagnose for {id}, which is no task" for id, _ in sorted(set(_DIAGNOSIS.findall(source))) if id not in tasks)


def _scripts(lab: Lab) -> Iterator[str]:
    for part in ("solution", "undo", "mistakes"):
        scripts = read_scripts(lab, part)
        for script in scripts:
            yield from script.problems(lab)
        covered = {script.task for script in scripts}
        if part != "mistakes":
            yield from (f"{lab.folder / part}: nothing for {task.id}" for task in lab.tasks if task.name not in covered)


def _text(lab: Lab, course: Path) -> Iterator[str]:
    path = course / "docs" / "chapters" / f"{lab.folder.name}.md"
    if not path.is_file():
        yield f"{path}: is missing"


def _manifests(lab: Lab) -> Iterator[str]:
    for path in sorted(lab.manifests_folder.glob("*.yaml")):
        for name in sorted(placeholders(path.read_text(encoding="utf-8")) - set(lab.file.params)):
            yield f"{path}: {{{name}}} is not a parameter"
