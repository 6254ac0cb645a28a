"""`pytest checkers/ --evidence FILE`: the checks of a chapter as pytest tests, with assertion rewriting, on saved Evidence.

Every @check function becomes a test; a check whose needed check failed is skipped. Several --evidence options run all checks on each.
For authors: `lab check --save-evidence FILE` makes such a file.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest

from courselab.course.params import Params
from courselab.errors import LabError
from courselab.grade.asserts import failure_of
from courselab.grade.authors import CheckMark, Failure, marks_of
from courselab.grade.cluster import Cluster
from courselab.grade.dig import Obj
from courselab.grade.evidence import load
from courselab.grade.judge import params_of
from courselab.grade.nodes import Nodes, ProbeNotRun, Probes
from courselab.grade.record import Record
from courselab.grade.why import explain
from courselab.grade.world import World

_FILE = "ch[0-9][0-9].py"
_WORLDS = pytest.StashKey[dict[str, World]]()  # by Evidence file
_FAILED = pytest.StashKey[set[tuple[str, str]]]()  # (check, Evidence) that did not pass


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that names the Evidence."""
    parser.addoption("--evidence", action="append", default=[], metavar="FILE", help="saved Evidence to run the checks on; may be repeated")


def pytest_configure(config: pytest.Config) -> None:
    """Checker files are test files: they are collected, and their asserts are rewritten."""
    config.addinivalue_line("python_files", _FILE)
    config.stash[_FAILED] = set()
    config.stash[_WORLDS] = {}


def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: Any) -> Any:
    """Make a test of every @check function, and of nothing else in a checker file."""
    if not re.fullmatch(r"ch\d\d\.py", collector.path.name):
        return None
    if any(isinstance(mark, CheckMark) for mark in marks_of(obj)):
        return list(collector._genfunctions(name, obj))  # type: ignore[attr-defined]
    return []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per Evidence file."""
    if _mark_of(metafunc.function):
        files = cast("list[str]", metafunc.config.getoption("--evidence"))
        metafunc.parametrize("evidence_file", files, ids=[Path(file).stem for file in files])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Chapter's Evidence only, and needed checks before those that need them."""
    kept = [item for item in items if _fits(item)]
    done: set[tuple[str, str]] = set()
    ordered: list[pytest.Item] = []
    while kept:
        ready = next((item for item in kept if all(key in done or key not in _keys(kept) for key in _needs(item))), kept[0])
        kept.remove(ready)
        ordered.append(ready)
        if key := _key(ready):
            done.add(key)
    items[:] = ordered


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A check whose needed check has not passed is not run."""
    missing = [id for id, _ in set(_needs(item)) & item.config.stash[_FAILED]]
    if missing:
        pytest.skip(f"needs {', '.join(sorted(missing))} first")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, Any, Any]:
    """A check that reads an experiment which this Evidence does not have is skipped."""
    try:
        return (yield)
    except ProbeNotRun as missing:
        pytest.skip(str(missing))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember what did not pass, and tell a failure as a learner would read it, below pytest's own account."""
    report = yield
    key = _key(item)
    if key and not report.passed:
        item.config.stash[_FAILED].add(key)
    error = call.excinfo.value if call.excinfo else None
    if key and isinstance(error, (Failure, AssertionError)):
        report.sections.append(("What the learner reads", "\n".join(_told(error, _world(item.config, key[1])))))
    return report


@pytest.fixture
def evidence_file() -> str:
    """The Evidence a check runs on."""
    raise pytest.UsageError("say which Evidence: --evidence FILE")


@pytest.fixture
def world(request: pytest.FixtureRequest, evidence_file: str) -> World:
    """The Evidence, indexed."""
    return _world(request.config, evidence_file)


@pytest.fixture
def cluster(request: pytest.FixtureRequest, world: World) -> Cluster:
    """The check's view of the cluster."""
    mark = _mark_of(request.function)
    return Cluster(world, Record(), mark.reads if mark else None)


@pytest.fixture
def nodes(world: World) -> Nodes:
    """The check's view of the machines."""
    return Nodes(world, Record())


@pytest.fixture
def probes(request: pytest.FixtureRequest, world: World) -> Probes:
    """The check's view of the experiments."""
    mark = _mark_of(request.function)
    return Probes(world, Record(), mark.probes if mark else None, {})


@pytest.fixture
def params(world: World) -> Params:
    """The student's values."""
    return params_of(world.evidence)


def _world(config: pytest.Config, file: str) -> World:
    worlds = config.stash[_WORLDS]
    if file not in worlds:
        try:
            worlds[file] = World(load(Path(file)))
        except LabError as unusable:
            raise pytest.UsageError(unusable.sentences) from unusable
    return worlds[file]


def _told(error: Failure | AssertionError, world: World) -> list[str]:
    failure = error if isinstance(error, Failure) else failure_of(AssertionError(*error.args).with_traceback(error.__traceback__))
    lines = [failure.message or str(failure)]
    if failure.expected:
        lines += [f"expected  {failure.path + ': ' if failure.path else ''}{failure.expected}", f"actual    {failure.actual}"]
    about: Any = failure.about
    if isinstance(about, dict):
        lines += [f"why       {line}" for line in explain(world, cast("Obj", about)).lines()]
    return lines


def _mark_of(function: Any) -> CheckMark | None:
    return next((mark for mark in marks_of(function) if isinstance(mark, CheckMark)), None)


def _key(item: pytest.Item) -> tuple[str, str] | None:
    mark = _mark_of(getattr(item, "function", None))
    return (mark.id, _file(item)) if mark else None


def _keys(items: list[pytest.Item]) -> set[tuple[str, str]]:
    return {key for item in items if (key := _key(item))}


def _needs(item: pytest.Item) -> list[tuple[str, str]]:
    mark = _mark_of(getattr(item, "function", None))
    return [(need, _file(item)) for need in mark.needs] if mark else []


def _file(item: pytest.Item) -> str:
    spec: Any = getattr(item, "callspec", None)
    file: Any = spec.params.get("evidence_file") if spec else None
    return file if isinstance(file, str) else ""  # pytest puts a mark of its own where there are no files


def _fits(item: pytest.Item) -> bool:
    """Whether a check and the Evidence it would run on are of the same chapter."""
    key = _key(item)
    return key is None or not key[1] or _world(item.config, key[1]).evidence.lab == key[0].partition(".")[0]
