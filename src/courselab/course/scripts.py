"""The scripts beside a lab: solution/TASK.sh, undo/TASK.sh, mistakes/TASK.SLUG.sh, and what their first comment lines say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from courselab.course.model import Lab

_HEADER = re.compile(r"^# ?(on|user|verdict|diagnosis|task): *(.+?) *$")
_VERDICTS = ("fail", "waiting", "blocked")


@dataclass(frozen=True)
class Script:
    """One script: which machine and user runs it, and for a mistake what the check must say of it."""

    path: Path
    task: str  # the task's name: "deploy"
    slug: str  # a mistake's own name; empty elsewhere
    on: str
    user: str
    verdict: str
    diagnosis: str

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def problems(self, lab: Lab) -> Iterator[str]:
        """What does not fit the lab."""
        if lab.task(self.task) is None:
            yield f"{self.path}: there is no task {self.task!r}"
        if self.on not in lab.file.machines:
            yield f"{self.path}: `# on: {self.on}` is not a machine of this lab"
        if self.slug and self.verdict not in _VERDICTS:
            yield f"{self.path}: a mistake says `# verdict: ` with one of {', '.join(_VERDICTS)}"


def read_scripts(lab: Lab, part: str) -> list[Script]:
    """The scripts of one part ("solution", "undo", "mistakes"): in the order of the tasks, then by name."""
    order = {task.name: place for place, task in enumerate(lab.tasks)}
    scripts = [_read(lab, path) for path in (lab.folder / part).glob("*.sh")]
    return sorted(scripts, key=lambda script: (order.get(script.task, 999), script.slug))


def _read(lab: Lab, path: Path) -> Script:
    said: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if found := _HEADER.match(line):
            said[found[1]] = found[2]
    task, _, slug = path.stem.partition(".")
    return Script(
        path=path,
        task=task,
        slug=slug,
        on=said.get("on") or next(iter(lab.file.machines)),
        user=said.get("user", "student"),
        verdict=said.get("verdict", ""),
        diagnosis=said.get("diagnosis", ""),
    )
