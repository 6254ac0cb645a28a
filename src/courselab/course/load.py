"""Reading lab.yaml: strict, and with the line of whatever is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec
import yaml

from courselab.course.finding import Finding
from courselab.course.model import Lab, LabFile
from courselab.course.params import placeholders
from courselab.errors import UsageError
from courselab.safe_yaml import LOADER

SCHEMA = 1
_DOCS = "authors/lab-yaml.md"


class NotALab(UsageError):
    """A lab.yaml that is none, for what stands in `line`."""

    def __init__(self, path: Path, line: int, why: str, fix: str) -> None:
        super().__init__(f"{path}:{line} is not a lab", why=why, fix=fix, docs=_DOCS)
        self.line = line


def load_lab(folder: Path) -> Lab:
    """The lab in `folder`. Raises UsageError with file, line and what is allowed there."""
    lab, text = _read(folder)
    for where, problem, fix in _problems(lab):
        raise NotALab(folder / "lab.yaml", _line_of(text, where), problem, fix)
    return lab


def lint_lab_yaml(folder: Path) -> tuple[Lab | None, list[Finding]]:
    """The lab, if its file can be read at all, and everything that is wrong with the file."""
    path = folder / "lab.yaml"
    try:
        lab, text = _read(folder)
    except UsageError as wrong:
        line = wrong.line if isinstance(wrong, NotALab) else 0
        return None, [Finding(path, line, f"{wrong.why} {wrong.fix}".strip())]
    return lab, [Finding(path, _line_of(text, where), f"{problem}. {fix}") for where, problem, fix in _problems(lab)]


def _read(folder: Path) -> tuple[Lab, str]:
    path = folder / "lab.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        raise UsageError(f"{path} cannot be read", why=str(unreadable), fix="Each lab has a lab.yaml in UTF-8.", docs=_DOCS) from unreadable
    try:
        data = yaml.load(text, Loader=LOADER)  # noqa: S506 a safe loader, the C one where it is built
    except yaml.MarkedYAMLError as broken:
        line = broken.problem_mark.line + 1 if broken.problem_mark else 1
        raise NotALab(path, line, f"not valid YAML: {broken.problem}", "Compare the indentation with a lab that works.") from broken
    except (yaml.YAMLError, ValueError, RecursionError) as broken:  # a character that YAML has not, a date that no calendar has
        raise NotALab(path, 1, f"not valid YAML: {str(broken).partition(chr(10))[0]}", "Compare it with a lab that works.") from broken
    try:
        file = msgspec.convert(data, LabFile)
    except msgspec.ValidationError as invalid:
        raise _explain(path, text, invalid) from invalid
    return Lab(file=file, folder=folder), text


def _explain(path: Path, text: str, invalid: msgspec.ValidationError) -> NotALab:
    """Turn msgspec's "… - at `$.tasks[0].points`" into a line of the file and the keys that are allowed."""
    message, _, at = str(invalid).partition(" - at `$")
    found: list[tuple[str, str]] = re.findall(r"([^.\[\]`]+)|\[(\d+)\]", at)
    steps: list[str | int] = [int(index) if index else key for key, index in found]
    unknown = re.search(r"unknown field `(.+?)`", message)
    if unknown:
        allowed = sorted(_fields_at(steps))
        near = difflib.get_close_matches(unknown[1], allowed, n=1)
        meant = f" Did you mean `{near[0]}`?" if near else ""
        line = _line_of(text, [*steps, unknown[1]]) if "[...]" not in at else _line_below(text, steps, unknown[1])
        return NotALab(path, line, f"`{unknown[1]}` is not a key here.{meant}", f"Allowed are: {', '.join(allowed)}.")
    return NotALab(path, _line_of(text, steps), message, "See the reference of lab.yaml.")


def _fields_at(steps: Iterable[str | int]) -> set[str]:
    """The keys that the model allows at this place of the file."""
    kind: Any = LabFile
    for step in steps:
        info = msgspec.inspect.type_info(kind)
        if isinstance(info, msgspec.inspect.StructType):
            kind = next((field.type for field in info.fields if field.encode_name == step), info)
        kind = _inner(kind)
    info = kind if isinstance(kind, msgspec.inspect.Type) else msgspec.inspect.type_info(kind)
    return {field.encode_name for field in info.fields} if isinstance(info, msgspec.inspect.StructType) else set()


def _inner(info: Any) -> Any:
    if isinstance(info, msgspec.inspect.ListType):
        info = info.item_type
    elif isinstance(info, msgspec.inspect.DictType):
        info = info.value_type
    return info.cls if isinstance(info, msgspec.inspect.StructType) else info


def _line_of(text: str, steps: Iterable[str | int]) -> int:
    """The line (from 1) of the deepest node on the way that exists."""
    node: Any = cast(Any, yaml).compose(text, Loader=LOADER)
    line = 1
    for step in steps:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line


def _line_below(text: str, steps: list[str | int], key: str) -> int:
    """The line of a key somewhere below a node: msgspec does not say under which name of a table it stands."""
    node: Any = cast(Any, yaml).compose(text, Loader=LOADER)
    for step in steps:
        found = _child(node, step)
        node = found[1] if found else node
    below = [node]
    while below:
        one = below.pop(0)
        if found := _child(one, key):
            return found[0]
        below += [value for _, value in one.value] if isinstance(one, yaml.MappingNode) else []
    return _line_of(text, steps)


def _child(node: Any, step: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _problems(lab: Lab) -> Iterable[tuple[list[str | int], str, str]]:
    """What types alone cannot say: (where, what is wrong, what to do)."""
    file = lab.file
    if file.schema != SCHEMA:
        yield ["schema"], f"schema {file.schema} is not known to this version", f"Write `schema: {SCHEMA}`, or update the course."
    if not re.fullmatch(r"\d\d", file.chapter):
        yield ["chapter"], f"{file.chapter!r} is not a chapter number", 'Two digits in quotes: "02".'
    if not lab.folder.name.startswith(f"{file.chapter}-"):
        yield ["chapter"], f"the folder is called {lab.folder.name}", f"Rename the folder to {file.chapter}-…, or mend the number."
    for name in file.machines:
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", name):
            yield ["machines", name], f"{name!r} is not a host name", "Lower-case letters, digits and dashes, at most 32."
    for place, chapter in enumerate(file.builds_on):
        if not re.fullmatch(r"\d\d", chapter) or chapter >= file.chapter:
            yield ["builds_on", place], f"{chapter!r} is no earlier chapter", 'Two digits in quotes, before this one: ["02"].'
    for name in file.collect:
        if name not in file.machines:
            yield ["collect", name], f"no machine is called {name!r}", f"Machines are: {', '.join(file.machines)}."
    yield from _parameter_problems(lab)
    yield from _task_problems(lab)


def _parameter_problems(lab: Lab) -> Iterable[tuple[list[str | int], str, str]]:
    known: set[str] = set()
    for name, parameter in lab.file.params.items():
        ways = [way for way in msgspec.structs.astuple(parameter) if way is not None]
        if len(ways) != 1:
            yield ["params", name], "exactly one way to draw a value is needed", "One of: choice, number, token, text, tasks."
        if parameter.tasks is not None:
            yield from _draw_problems(lab, name, parameter.tasks)
        if parameter.choice == [] or (parameter.number and (len(parameter.number) != 2 or parameter.number[0] > parameter.number[1])):
            yield ["params", name], "there is nothing to draw from", "choice: [a, b]   or   number: [lowest, highest]"
        for used in placeholders(parameter.text or "") - known:
            yield ["params", name, "text"], f"{{{used}}} is not a parameter above this one", "Parameters may use those written before them."
        known.add(name)


def _draw_problems(lab: Lab, name: str, count: int) -> Iterable[tuple[list[str | int], str, str]]:
    everywhere = [task for task in lab.tasks if not task.only_on]
    if name != "tasks":
        yield ["params", name], f"what draws tasks is called tasks, not {name}", "Rename it."
    if not 0 < count <= len(everywhere):
        yield ["params", name, "tasks"], f"{count} tasks cannot be drawn", f"{len(everywhere)} are there on every provider."
    if len({task.points for task in lab.tasks}) > 1:
        yield ["tasks"], "tasks that are drawn are worth the same", "Give each the same points."


def _task_problems(lab: Lab) -> Iterable[tuple[list[str | int], str, str]]:
    seen: set[str] = set()
    for place, task in enumerate(lab.tasks):
        where: list[str | int] = ["tasks", place]
        if not re.fullmatch(rf"{lab.chapter}\.[a-z][a-z0-9-]*", task.id):
            yield [*where, "id"], f"{task.id!r} is not an id of chapter {lab.chapter}", f"Write {lab.chapter}.name, name in lower case."
        if task.id in seen:
            yield [*where, "id"], f"{task.id} is there twice", "Each task has an id of its own."
        seen.add(task.id)
        if task.points < 1:
            yield [*where, "points"], "a task is worth at least one point", "points: 1"
        if len(task.hints) != 3:
            yield [*where, "hints"], f"{len(task.hints)} hints instead of three", "A nudge, where to look, almost the solution."
        for text in (task.title, task.text, *task.hints):
            for used in placeholders(text) - set(lab.file.params):
                yield where, f"{{{used}}} is not a parameter", f"Parameters are: {', '.join(lab.file.params) or 'none'}."
