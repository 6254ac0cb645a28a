"""The scripts beside a lab: setup.sh, solution/TASK.sh, undo/TASK.sh, right/TASK.SLUG.sh, mistakes/TASK.SLUG.sh, and what their comments say.

A line `# on: MACHINE` further down begins a part that runs on another machine. Parts hand things over in ~/work, which all machines of
a lab share.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from courselab.course.model import Lab

_HEADER = re.compile(r"^# ?(on|user|verdict|diagnosis|task): *(.+?) *$")
_VERDICTS = ("fail", "blocked")  # what waits fails at its deadline
PARTS = ("solution", "undo", "right", "mistakes")


@dataclass(frozen=True)
class Part:
    """What one machine runs of a script, as which user."""

    on: str
    user: str
    text: str


@dataclass(frozen=True)
class Script:
    """One script: which machines and users run it, and for a mistake what the check must say of it."""

    path: Path
    task: str  # the task's name: "deploy"; empty for setup.sh
    slug: str  # a mistake's own name, or another right answer's; empty elsewhere
    on: str  # where it begins
    user: str
    verdict: str
    diagnosis: str
    parts: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def problems(self, lab: Lab) -> Iterator[str]:
        """What does not fit the lab."""
        if self.task and lab.task(self.task) is None:
            yield f"there is no task {self.task!r}"
        for name in {part.on for part in self.parts} - set(lab.file.machines):
            yield f"`# on: {name}` is not a machine of this lab"
        if self.path.parent.name == "mistakes" and self.verdict not in _VERDICTS:
            yield f"a mistake says `# verdict: ` with one of {', '.join(_VERDICTS)}"


def read_scripts(lab: Lab, part: str) -> list[Script]:
    """The scripts of one folder ("solution", "undo", "right", "mistakes"): in the order of the tasks, then by name."""
    order = {task.name: place for place, task in enumerate(lab.tasks)}
    scripts = [_read(lab, path) for path in (lab.folder / part).glob("*.sh")]
    return sorted(scripts, key=lambda script: (order.get(script.task, 999), script.slug))


def read_setup(lab: Lab) -> Script | None:
    """What prepares the lab's machines once the cluster is ready, if anything does. It may run twice: `lab start` goes on where it stopped."""
    path = lab.folder / "setup.sh"
    return replace(_read(lab, path), task="") if path.is_file() else None


def _read(lab: Lab, path: Path) -> Script:
    text = path.read_text(encoding="utf-8")
    said = _header(text)
    task, _, slug = path.stem.partition(".")
    first = Part(said.get("on") or next(iter(lab.file.machines)), said.get("user", "student"), "")
    return Script(
        path=path,
        task=task,
        slug=slug,
        on=first.on,
        user=first.user,
        verdict=said.get("verdict", ""),
        diagnosis=said.get("diagnosis", ""),
        parts=tuple(_parts(text, first)),
    )


def _header(text: str) -> dict[str, str]:
    """What the first comment lines say."""
    said: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if found := _HEADER.match(line):
            said[found[1]] = found[2]
    return said


def _parts(text: str, first: Part) -> Iterator[Part]:
    """The text cut where another `# on:` stands; each part's own comment lines may name its user."""
    starts = [found.start() for found in re.finditer(r"^# ?on:", text, re.MULTILINE)]
    cuts = [0, *starts[1:], len(text)]
    for begin, end in itertools.pairwise(cuts):
        said = _header(text[begin:end])
        yield Part(said.get("on", first.on), said.get("user", "student"), text[begin:end])
