"""What of a chapter's checker does not fit its lab: found by loading the file and reading its text, without running a check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from courselab.course.finding import Finding, line_of
from courselab.course.model import Lab
from courselab.course.params import placeholders
from courselab.course.scripts import read_scripts
from courselab.errors import LabError
from courselab.grade.authors import CheckMark, DiagnoseMark, FactMark, ProbeMark
from courselab.grade.checker import Checker, CheckerBroken, checker_path, find_functions, load_module, problems_of
from courselab.grade.kinds import KNOWN, canonical
from courselab.grade.match import nearest
from courselab.grade.node_facts import UNITS
from courselab.grade.why.rules import RULES
from courselab.k3s.images import NAMES

_COLLECTED = {"file": "files", "unit": "units", "sysctl": "sysctls"}


def lint_checker(lab: Lab, course: Path) -> list[Finding]:
    """Everything in the checker, and in the mistakes that name its diagnoses, that is missing or does not fit."""
    path = checker_path(course, lab.chapter)
    if not path.is_file():
        return [Finding(path, 0, "is missing"), *_images(lab)]
    text = path.read_text(encoding="utf-8-sig")  # Python reads over the mark that Windows programs put in front
    try:
        checker = find_functions(path, load_module(path))
    except CheckerBroken as broken:
        return [Finding(path, broken.line, broken.why), *_images(lab)]
    except LabError as broken:
        return [Finding(path, 0, f"{broken.what}: {broken.why}"), *_images(lab)]
    found = [*_functions(checker, lab, text), *_kinds(checker, text), *_reads(lab, path, text), *_mistakes(lab, checker), *_images(lab)]
    return list(dict.fromkeys(found))


def _functions(checker: Checker, lab: Lab, text: str) -> Iterator[Finding]:
    for problem in problems_of(checker, lab):
        named = re.search(r"\d\d\.[a-z0-9-]+", problem)
        yield Finding(checker.path, line_of(text, re.compile(rf"[\"']{re.escape(named[0])}[\"']")) if named else 0, problem)
    machines = {*lab.file.machines, "all"}
    for fact in checker.facts:
        for machine in sorted(set(fact.mark.on) - machines):
            yield Finding(checker.path, _line(fact.function), f"fact {fact.mark.name} is of {machine}, which is no machine of lab.yaml")
    yield from _watched_objects(checker, lab)
    for found in (*checker.checks, *checker.facts, *checker.probes, *checker.diagnoses):
        for name in _unknown_arguments(found.function, _GIVEN[type(found.mark)]):
            yield Finding(checker.path, _line(found.function), f"{found.function.__name__} asks for {name!r}, which it is not given")


def _watched_objects(checker: Checker, lab: Lab) -> Iterator[Finding]:
    """A name that no object has is never another one, so a probe's old result would be reused for ever."""
    for probe in checker.probes:
        for name in probe.mark.objects:
            if not re.fullmatch(r"[^/]+(/[^/]+){1,2}", name):
                what = f'probe {probe.mark.name}: objects holds {name}; it is "Kind/name" or "Kind/namespace/name"'
                yield Finding(checker.path, _line(probe.function), what)
            for parameter in sorted(placeholders(name) - set(lab.file.params)):
                yield Finding(checker.path, _line(probe.function), f"{{{parameter}}} is not a parameter")


_GIVEN = {
    CheckMark: {"cluster", "nodes", "probes", "params"},
    DiagnoseMark: {"cluster", "nodes", "probes", "params", "failure"},
    ProbeMark: {"lab", "cluster", "nodes", "params"},
    FactMark: {"host", "params"},
}


def _unknown_arguments(function: Any, given: set[str]) -> list[str]:
    code = function.__code__
    needed = code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())]
    return [name for name in needed if name not in given]


def _kinds(checker: Checker, text: str) -> Iterator[Finding]:
    """A kind that nobody knows may be a custom one, which is named with its group; a slip of the pen is like one that is known."""
    for check in checker.checks:
        for kind in check.mark.reads:
            near = "" if canonical(kind) in KNOWN or "/" in kind else nearest(kind, KNOWN)
            if near:
                yield Finding(checker.path, line_of(text, f'"{kind}"'), f"check {check.mark.id} reads {kind}: did you mean {near}?")


def _reads(lab: Lab, path: Path, text: str) -> Iterator[Finding]:
    """What checks read of machines and parameters by a name that stands there literally."""
    constants: dict[str, str] = {}
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            constants.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params":
            if node.attr not in lab.file.params and node.attr not in ("get", "items", "keys", "values", "fill", "environment"):
                yield Finding(path, node.lineno, f"params.{node.attr} is no parameter of lab.yaml")
        elif isinstance(node, ast.Call):
            yield from _machine_read(lab, path, node, constants)
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            key = _text_of(node.slice, constants)
            if node.value.id == "nodes" and key and key not in lab.file.machines:
                yield Finding(path, node.lineno, f'nodes["{key}"] is no machine of lab.yaml')
            if node.value.id == "params" and key and key not in lab.file.params:
                yield Finding(path, node.lineno, f'params["{key}"] is no parameter of lab.yaml')


def _machine_read(lab: Lab, path: Path, call: ast.Call, constants: dict[str, str]) -> Iterator[Finding]:
    """nodes["server"].file(ANSWER): is it collected?"""
    function = call.func
    if not (
        isinstance(function, ast.Attribute) and function.attr in _COLLECTED and isinstance(function.value, ast.Subscript) and call.args
    ):
        return
    owner, name = function.value, _text_of(call.args[0], constants)
    machine = _text_of(owner.slice, constants) if isinstance(owner.value, ast.Name) and owner.value.id == "nodes" else ""
    if not machine or not name or machine not in lab.file.machines:
        return
    what = _COLLECTED[function.attr]
    wanted = lab.file.collect.get(machine)
    listed: list[str] = getattr(wanted, what) if wanted else []
    collected = {one.removesuffix(".service") for one in listed}
    if what == "units":
        collected |= set(UNITS)
    if name.removesuffix(".service") not in collected and not name.startswith("/etc/rancher/k3s/config.yaml"):
        yield Finding(path, call.lineno, f"{name} is not collected: add it to lab.yaml, collect: {machine}: {what}")


def _text_of(node: ast.expr, constants: dict[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id, "") if isinstance(node, ast.Name) else ""


def _mistakes(lab: Lab, checker: Checker) -> Iterator[Finding]:
    """A mistake's diagnosis is one of its check's, or one of the causes that every check knows."""
    causes = {rule.slug for rule in RULES}
    for script in read_scripts(lab, "mistakes"):
        own = {found.mark.slug for found in checker.diagnoses if found.mark.check == f"{lab.chapter}.{script.task}"}
        if script.diagnosis and script.diagnosis not in own | causes:
            near = nearest(script.diagnosis, sorted(own | causes))
            meant = f": did you mean {near}?" if near else ""
            line = line_of(script.text, re.compile(r"^# ?diagnosis:", re.MULTILINE))
            yield Finding(script.path, line, f"no @diagnose of {lab.chapter}.{script.task} is called {script.diagnosis}{meant}")


def _images(lab: Lab) -> Iterator[Finding]:
    path = lab.folder / "lab.yaml"
    for image in lab.file.images:
        if image not in NAMES:
            yield Finding(
                path, line_of(path.read_text(encoding="utf-8"), image), f"the course has no image {image}: it has {', '.join(NAMES)}"
            )


def _line(function: Any) -> int:
    return int(function.__code__.co_firstlineno)
