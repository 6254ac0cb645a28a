"""What a lab must have beside a valid lab.yaml, found without running anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from courselab.course import chapter_text
from courselab.course.catalog import Catalog
from courselab.course.finding import Finding, line_of
from courselab.course.links import broken_links
from courselab.course.model import Lab
from courselab.course.params import Params, placeholders
from courselab.course.scripts import PARTS, Script, read_scripts, read_setup
from courselab.safe_yaml import LOADER

_VARIABLE = re.compile(r"\$\{?LAB_([A-Z][A-Z0-9_]*)")
_OWN_VARIABLES = {"CHAPTER", "K3S_VERSION"}  # what every lab has beside its parameters
_IMAGE = re.compile(r"""image: *["']?(course/[a-z]+:[0-9]+)""")
_LEAK_CHARACTERS = 24  # a shorter line of a solution may well stand in a hint
_LOOKS = re.compile(r"kubectl (get|logs|describe|explain|rollout|wait|events)\b|cd ")  # to look is no solution


def lint_files(lab: Lab, course: Path) -> list[Finding]:
    """Everything in the lab's files and in its chapter's text that is missing or does not fit."""
    return [*_lab_yaml(lab), *_scripts(lab), *_text(lab, course), *_manifests(lab), *_unused(lab, course), *_earlier(lab, course)]


def not_utf8(lab: Lab, course: Path) -> list[Finding]:
    """Files of a chapter that are written in another encoding; nothing else can be said of them."""
    scripts = [path for part in PARTS for path in (lab.folder / part).glob("*.sh")]
    found: list[Finding] = []
    for path in (lab.folder / "setup.sh", *scripts, *lab.manifests_folder.glob("*.y*ml"), _text_of(lab, course), _checker_of(lab, course)):
        data = path.read_bytes() if path.is_file() else b""
        try:
            data.decode()
        except UnicodeDecodeError as wrong:
            found.append(Finding(path, data.count(b"\n", 0, wrong.start) + 1, "is not UTF-8"))
    return sorted(found)


def _text_of(lab: Lab, course: Path) -> Path:
    return course / "docs" / "chapters" / f"{lab.folder.name}.md"


def _checker_of(lab: Lab, course: Path) -> Path:
    return course / "checkers" / f"ch{lab.chapter}.py"


def _lab_yaml(lab: Lab) -> Iterator[Finding]:
    path = lab.folder / "lab.yaml"
    text = path.read_text(encoding="utf-8")
    for task in lab.tasks:
        line = line_of(text, re.compile(rf"id: *[\"']?{re.escape(task.id)}\b"))
        for place, hint in enumerate(task.hints, start=1):
            if not hint.strip():
                yield Finding(path, line, f"hint {place} of {task.id} is empty")
        if len(set(task.hints)) < len(task.hints):
            yield Finding(path, line, f"two hints of {task.id} are the same")
        for what, said in (("title", task.title), ("text", task.text)):
            if not said.strip():
                yield Finding(path, line, f"the {what} of {task.id} is empty")
        yield from _leaks(lab, task.name, [*task.hints, task.text], Finding(path, line, ""))


def _leaks(lab: Lab, task: str, texts: list[str], at: Finding) -> Iterator[Finding]:
    """A hint leads to the solution and is not it."""
    for script in read_scripts(lab, "solution"):
        lines = [line.strip() for line in script.text.splitlines() if script.task == task and not line.startswith("#")]
        for line in (line for line in lines if not _LOOKS.match(line)):
            if len(line) >= _LEAK_CHARACTERS and any(line in said for said in texts):
                yield Finding(at.path, at.line, f"a hint or the text of {task} holds a line of its solution: {line[:60]}")


def _scripts(lab: Lab) -> Iterator[Finding]:
    for part in PARTS:
        scripts = read_scripts(lab, part)
        for script in scripts:
            yield from _script(lab, script)
        covered = {script.task for script in scripts}
        if part in ("solution", "undo"):
            yield from (Finding(lab.folder / part, 0, f"nothing for {task.id}") for task in lab.tasks if task.name not in covered)
        folder = lab.folder / part
        known = {script.path for script in scripts}
        strangers = sorted(path for path in folder.iterdir() if path not in known) if folder.is_dir() else []
        yield from (Finding(path, 0, "is no script: they are called TASK.sh or TASK.SLUG.sh") for path in strangers)
    setup = read_setup(lab)
    yield from _script(lab, setup) if setup else ()


def _script(lab: Lab, script: Script) -> Iterator[Finding]:
    text = script.text
    for problem in script.problems(lab):
        yield Finding(script.path, line_of(text, re.compile(r"^# ?(on|verdict):", re.MULTILINE)), problem)
    header = re.search(r"^# ?task: *(\S+)", text, re.MULTILINE)
    if header and header[1] != f"{lab.chapter}.{script.task}":
        yield Finding(script.path, line_of(text, header[0]), f"says task {header[1]}, and its name says {lab.chapter}.{script.task}")
    if script.path.parent.name in ("mistakes", "right") and not script.slug:
        yield Finding(script.path, 0, "needs a name of its own behind the task's: TASK.SLUG.sh")
    if not [line for line in text.splitlines() if line.strip() and not line.startswith("#")]:
        yield Finding(script.path, 0, "does nothing")
    yield from _variables(lab, script.path, text)


def _variables(lab: Lab, path: Path, text: str) -> Iterator[Finding]:
    known = {name.upper() for name in lab.file.params} | _OWN_VARIABLES
    for name in sorted(set(_VARIABLE.findall(text)) - known):
        yield Finding(path, line_of(text, re.compile(rf"\$\{{?LAB_{name}\b")), f"$LAB_{name} is no parameter of lab.yaml")


def _text(lab: Lab, course: Path) -> Iterator[Finding]:
    path = _text_of(lab, course)
    if not path.is_file():
        yield Finding(path, 0, "is missing")
        return
    text = path.read_text(encoding="utf-8")
    for problem, part in chapter_text.problems(lab, text):
        yield Finding(path, line_of(text, part) if part else 0, problem)
    yield from _variables(lab, path, text)
    if not re.match(rf"# {lab.chapter} ", text):
        yield Finding(path, 1, f"begins with its heading and number: # {lab.chapter} {lab.title}")
    yield from broken_links(path, text)
    site = course / "mkdocs.yml"
    if site.is_file() and f"chapters/{path.name}" not in site.read_text(encoding="utf-8"):
        yield Finding(site, 0, f"nav does not name chapters/{path.name}")


def _earlier(lab: Lab, course: Path) -> Iterator[Finding]:
    """The solutions of the chapters that it builds on must find on its machines what they have on their own."""
    catalog, path = Catalog(course), lab.folder / "lab.yaml"
    line = line_of(path.read_text(encoding="utf-8"), "builds_on:")
    for chapter in lab.file.builds_on:
        if chapter not in catalog.chapters():
            yield Finding(path, line, f"builds_on {chapter}, which has no lab")
            continue
        earlier = catalog.find(chapter).file
        own = {(host, need.role) for host, need in lab.file.machines.items()}
        lacks = [f"a machine {host} like there" for host, need in earlier.machines.items() if (host, need.role) not in own]
        lacks += [f"its image {image}" for image in earlier.images if image not in lab.file.images]
        lacks += [f"what it needs: {need}" for need in earlier.k3s.needs if need not in lab.file.k3s.needs]
        yield from (Finding(path, line, f"builds_on {chapter}, and lacks {what}") for what in lacks)


def _manifests(lab: Lab) -> Iterator[Finding]:
    params = Params.draw(lab, "lint")
    for path in sorted(lab.manifests_folder.glob("*.y*ml")):
        text = path.read_text(encoding="utf-8")
        for name in sorted(placeholders(text) - set(lab.file.params)):
            yield Finding(path, line_of(text, f"{{{name}}}"), f"{{{name}}} is not a parameter")
        yield from _objects(path, params.fill(text))
        for image in sorted(set(_IMAGE.findall(text)) - set(lab.file.images)):
            yield Finding(path, line_of(text, image), f"{image} is not among the images of lab.yaml")


def _objects(path: Path, text: str) -> Iterator[Finding]:
    try:
        documents: list[Any] = list(yaml.load_all(text, Loader=LOADER))
    except (yaml.YAMLError, ValueError) as broken:  # of 2026-99-99 PyYAML makes a ValueError
        mark = getattr(broken, "problem_mark", None)
        yield Finding(path, mark.line + 1 if mark else 0, f"is not valid YAML: {getattr(broken, 'problem', broken)}")
        return
    for document in documents:
        if document is not None and not (isinstance(document, dict) and {"apiVersion", "kind", "metadata"} <= set(document)):  # pyright: ignore[reportUnknownArgumentType]
            yield Finding(path, 0, "holds something that is no object: it lacks apiVersion, kind or metadata")


def _unused(lab: Lab, course: Path) -> Iterator[Finding]:
    """A parameter that nothing mentions varies nothing."""
    path = lab.folder / "lab.yaml"
    texts = [text for task in lab.tasks for text in (task.title, task.text, *task.hints)]
    texts += [parameter.text or "" for parameter in lab.file.params.values()]
    files = [*lab.manifests_folder.glob("*.y*ml"), *(script.path for part in PARTS for script in read_scripts(lab, part))]
    files.append(_checker_of(lab, course))
    texts += [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    for name in (name for name, parameter in lab.file.params.items() if parameter.tasks is None):  # what draws tasks need not be mentioned
        used = re.compile(rf"\{{{name}\}}|LAB_{name.upper()}\b|params\.{name}\b|params\[[\"']{name}[\"']\]")
        if not any(used.search(text) for text in texts):
            text = path.read_text(encoding="utf-8")
            yield Finding(path, line_of(text, re.compile(rf"^ +{name}:", re.MULTILINE)), f"parameter {name} is used nowhere")
