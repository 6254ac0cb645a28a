"""How a chapter's text refers to its lab: the authors' shorthand for tasks, and values that differ per student.

A paragraph that begins with `**Task `03.route`**` is a task; the site makes a box of it, with points and hints out of lab.yaml.
`<var data-param="host">www.bakery.example</var>` is a student's value; what stands in it is the example for readers without a lab.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from courselab.course.catalog import Catalog
from courselab.course.links import without_code
from courselab.course.model import Lab
from courselab.course.params import Params, placeholders
from courselab.errors import UsageError

TASK = re.compile(r"^\*\*Task `([^`]*)`\*\*", re.MULTILINE)
VALUE = re.compile(r'<var data-param="([^"]*)">([^<]*)</var>')
# What a reader without a lab sees where the text itself shows no value.
_EXAMPLE_SEED = "example"
# A chapter's parts, in this order (docs/authors/chapters.md): how each begins, as a pattern and as an author writes it.
_PARTS = (
    (r"\*\*When you are through, you can\*\*$", "**When you are through, you can**"),
    (
        r"\*\*Time\*\* about \d+ minutes · \*\*Machines\*\* \S.* · \*\*Before\*\* \S",
        "**Time** about 60 minutes · **Machines** … · **Before** …",
    ),
    (r"## The story$", "## The story"),
    (r"## If it does not work$", "## If it does not work"),
    (r"## Going further$", "## Going further"),
    (r"## On other machines$", "## On other machines"),
    (r".*Raspberry Pi", "**Raspberry Pi.** (what differs there)"),
)


def examples(lab: Lab, text: str) -> Params:
    """Example values of the lab's parameters: those that the text shows first, else drawn once for all readers."""
    shown: dict[str, str] = {}
    for name, value in VALUE.findall(text):
        shown.setdefault(name, value)
    return Params(dict(Params.draw(lab, _EXAMPLE_SEED)) | {name: value for name, value in shown.items() if name in lab.file.params})


def lab_of(task: str, course: Path) -> Lab:
    """The lab that a task's id ("03.route") belongs to. Raises UsageError if there is no such lab or task."""
    lab = Catalog(course).find(task.partition(".")[0])
    if task not in {one.id for one in lab.tasks}:
        raise UsageError(f"{task} is no task of lab {lab.chapter}", why="A chapter's text names it.", fix="Mend the text, or lab.yaml.")
    return lab


def problems(lab: Lab, text: str) -> Iterator[tuple[str, str]]:
    """What of a chapter's text does not fit its lab: tasks and parameters that are not there, tasks that the text forgets.

    Each with the part of the text that it is about; "" where something is missing.
    """
    prose = without_code(text)
    named = TASK.findall(prose)
    tasks = {task.id for task in lab.tasks}
    yield from ((f"task {id} is not in lab.yaml", f"**Task `{id}`") for id in dict.fromkeys(named) if id not in tasks)
    yield from ((f"task {id} is not in the text: begin its paragraph with **Task `{id}`**", "") for id in sorted(tasks - set(named)))
    yield from ((f"task {id} is there twice", f"**Task `{id}`") for id in sorted(set(named)) if named.count(id) > 1)
    for name, value in dict.fromkeys(VALUE.findall(prose)):
        if name not in lab.file.params:
            yield f'<var data-param="{name}"> is no parameter of lab.yaml', f'<var data-param="{name}"'
        elif not value.strip():
            yield f'<var data-param="{name}"> shows no example', f'<var data-param="{name}">{value}<'
    yield from _literals(lab, text)
    yield from _missing_parts(prose)
    if (minutes := re.search(r"^\*\*Time\*\* about (\d+) minutes", text, re.MULTILINE)) and int(minutes[1]) != lab.file.minutes:
        yield f"the text says {minutes[1]} minutes, lab.yaml {lab.file.minutes}", minutes[0]


def _missing_parts(prose: str) -> Iterator[tuple[str, str]]:
    """Every chapter has the same parts in the same order, so that a reader finds them again."""
    place = 0
    for pattern, written in _PARTS:
        found = re.compile(f"^{pattern}", re.MULTILINE).search(prose, place)
        if found:
            place = found.end()
        elif re.search(f"^{pattern}", prose, re.MULTILINE):
            yield f"{written} stands too early: the order of the parts is in docs/authors/chapters.md", written
        else:
            yield f"there is no part that begins with: {written}", ""


def _literals(lab: Lab, text: str) -> Iterator[tuple[str, str]]:
    """Commands must not hold what is one student's value: they use the variable."""
    words = {
        value: name
        for name, parameter in lab.file.params.items()
        for value in parameter.choice or []
        if re.fullmatch(r"[a-z][a-z0-9-]{4,}", value)  # shorter ones are words of every day
    }
    hosts = {f".{value}.example": name for value, name in words.items()}
    for line in text.splitlines():
        command = re.match(r"^ *(?:\w+@[\w-]+:[^$#]*)?[$#] (.+)", line)
        for value, name in (words | hosts).items() if command else ():
            if re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", command[1] if command else ""):
                yield f"a command holds `{value}`, which is one student's value of {name}: write $LAB_{name.upper()}", line


def unfilled(text: str, lab: Lab) -> set[str]:
    """Placeholders of a text of lab.yaml that are parameters of the lab."""
    return placeholders(text) & set(lab.file.params)
