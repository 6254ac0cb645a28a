"""A chapter's checker: its file loaded, its marked functions found, and what is wrong with it told with file and line."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from courselab.course.model import Lab
from courselab.errors import LabError
from courselab.grade.authors import CheckerMistake, CheckMark, DiagnoseMark, FactMark, ProbeMark, marks_of


class CheckerBroken(LabError):
    """A checker file cannot be used, for what stands in `line` (0: no line in particular). Never the student's fault."""

    def __init__(self, what: str, *, why: str, fix: str, detail: str = "", line: int = 0) -> None:
        super().__init__(what, why=why, fix=fix, detail=detail)
        self.line = line


_Mark = TypeVar("_Mark", CheckMark, FactMark, ProbeMark, DiagnoseMark)


@dataclass(frozen=True)
class Marked(Generic[_Mark]):
    """A function of a checker file, with the mark that says what it is for."""

    mark: _Mark
    function: Callable[..., Any]


CheckFunction = Marked[CheckMark]
FactFunction = Marked[FactMark]
ProbeFunction = Marked[ProbeMark]
DiagnoseFunction = Marked[DiagnoseMark]


@dataclass(frozen=True)
class Checker:
    """How a chapter is graded: its functions in the order of the file."""

    path: Path
    checks: tuple[CheckFunction, ...] = ()
    facts: tuple[FactFunction, ...] = ()
    probes: tuple[ProbeFunction, ...] = ()
    diagnoses: tuple[DiagnoseFunction, ...] = ()

    def reads(self) -> set[str]:
        """Every kind that some check reads."""
        return {kind for check in self.checks for kind in check.mark.reads}

    def drawn(self, params: Mapping[str, str], chapter: str) -> Checker:
        """The same checker with the checks of the tasks that were drawn for this student; all of them where none are drawn."""
        return self.only({f"{chapter}.{name}" for name in params["tasks"].split()}) if "tasks" in params else self

    def needing(self, ids: Iterable[str]) -> set[str]:
        """These checks, and all that need one of them, directly or through others."""
        found = set(ids)
        while more := {check.mark.id for check in self.checks if found.intersection(check.mark.needs)} - found:
            found |= more
        return found

    def only(self, ids: set[str]) -> Checker:
        """The same checker with only these checks, what they need, and the probes they read."""
        needed = set(ids)
        while more := {need for check in self.checks if check.mark.id in needed for need in check.mark.needs} - needed:
            needed |= more
        checks = tuple(check for check in self.checks if check.mark.id in needed)
        read = {name for check in checks for name in check.mark.probes}
        return Checker(
            self.path,
            checks,
            self.facts,
            tuple(probe for probe in self.probes if probe.mark.name in read),
            tuple(found for found in self.diagnoses if found.mark.check in needed),
        )


def checker_path(course: Path, chapter: str) -> Path:
    """Where the checker of a chapter stands."""
    return course / "checkers" / f"ch{chapter}.py"


def load_checker(path: Path, lab: Lab | None = None) -> Checker:
    """Load a checker file; with `lab`, also make sure that its tasks and its checks belong together.

    Raises CheckerBroken with file and line.
    """
    checker = find_functions(path, load_module(path))
    for problem in problems_of(checker, lab):
        raise CheckerBroken(f"{path} cannot be used", why=problem, fix="It is part of the course: please report it.")
    return checker


def load_module(path: Path) -> ModuleType:
    """Run a checker file as a module of its own. Raises CheckerBroken."""
    name = f"courselab_checker_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        fix = "Is the course complete? `git status`"
        raise CheckerBroken(f"There is no checker {path}", why="Each chapter with a lab has one.", fix=fix)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look a module up by its name
    try:
        spec.loader.exec_module(module)
    except SyntaxError as wrong:
        line = wrong.lineno or 0
        raise CheckerBroken(f"{path}:{line} is not valid Python", why=str(wrong.msg), fix="Mend that line.", line=line) from wrong
    except Exception as wrong:
        frames = reversed(traceback.extract_tb(wrong.__traceback__))
        line = next((frame.lineno or 0 for frame in frames if frame.filename == str(path)), 0)
        where, why = f"{path}:{line}" if line else str(path), f"{type(wrong).__name__}: {wrong}"
        raise CheckerBroken(
            f"{where} cannot be loaded", why=why, fix="Mend that line.", detail=traceback.format_exc(), line=line
        ) from wrong
    return module


def find_functions(path: Path, module: ModuleType) -> Checker:
    """The functions of a module that carry marks, in the order of the file."""
    found = [(mark, function) for function in list(vars(module).values()) if inspect.isfunction(function) for mark in marks_of(function)]
    return Checker(
        path,
        tuple(Marked(mark, function) for mark, function in found if isinstance(mark, CheckMark)),
        tuple(Marked(mark, function) for mark, function in found if isinstance(mark, FactMark)),
        tuple(Marked(mark, function) for mark, function in found if isinstance(mark, ProbeMark)),
        tuple(Marked(mark, function) for mark, function in found if isinstance(mark, DiagnoseMark)),
    )


def problems_of(checker: Checker, lab: Lab | None) -> Iterator[str]:
    """What of a checker does not fit together or, with `lab`, does not fit its tasks."""
    ids = [check.mark.id for check in checker.checks]
    probes = [probe.mark.name for probe in checker.probes]
    for name in sorted({name for names in (ids, probes) for name in names if names.count(name) > 1}):
        yield f"{name} is there twice."
    for who, other in _references(checker):
        if other not in ids:
            yield f"{who} {other}, which is no check.{_meant(other, ids)}"
    for check in checker.checks:
        for other in set(check.mark.probes).difference(probes):
            yield f"check {check.mark.id} reads probe {other}, which is not there.{_meant(other, probes)}"
    try:
        in_order(checker.checks)
    except CheckerMistake as circle:
        yield str(circle)
    if lab is not None:
        tasks = [task.id for task in lab.tasks]
        yield from (f"check {id} has no task in lab.yaml.{_meant(id, tasks)}" for id in ids if id not in tasks)
        yield from (f"task {task} of lab.yaml has no check." for task in tasks if task not in ids)


def _references(checker: Checker) -> Iterator[tuple[str, str]]:
    """Who names which check."""
    yield from ((f"check {check.mark.id} needs", need) for check in checker.checks for need in check.mark.needs)
    yield from ((f"probe {probe.mark.name} needs", need) for probe in checker.probes for need in probe.mark.needs)
    yield from ((f"diagnosis {found.mark.slug} is of", found.mark.check) for found in checker.diagnoses)


def in_order(checks: tuple[CheckFunction, ...]) -> list[CheckFunction]:
    """The checks with every one behind those it needs, otherwise in the order of the file. Raises CheckerMistake on a circle."""
    placed: dict[str, CheckFunction] = {}
    left = list(checks)
    while left:
        ready = next((check for check in left if all(need in placed for need in check.mark.needs)), None)
        if ready is None:
            raise CheckerMistake(f"checks need each other in a circle: {', '.join(check.mark.id for check in left)}")
        placed[ready.mark.id] = ready
        left.remove(ready)
    return list(placed.values())


def _meant(word: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(word, choices, n=1)
    return f" Did you mean {near[0]}?" if near else ""
