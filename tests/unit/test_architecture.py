"""The package order of docs/internals/design.md: imports go one way, and `lab --help` imports nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "courselab"
# Each package may import those to its left; session and grade never import each other.
LAYERS = {
    "base": 0,
    "course": 1,
    "machines": 2,
    "k3s": 3,
    "session": 4,
    "grade": 4,
    "verify": 5,
    "site": 5,
    "bundle": 6,
    "cli": 7,
    "notebook": 8,
}
BASE = {"__init__", "errors", "files", "journal", "locks", "paths", "points", "process", "progress", "safe_yaml", "timings"}


def package_of(module: str) -> str | None:
    """The layer of a dotted courselab module; None for the entry point."""
    parts = module.split(".")
    if len(parts) < 2 or parts[1] in BASE:
        return "base"
    return parts[1] if parts[1] in LAYERS else None


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: write imports in full"
            found.add(node.module)
            if node.module == "courselab":
                found |= {f"courselab.{alias.name}" for alias in node.names if not alias.name.startswith("__")}
    return {name for name in found if name.split(".")[0] == "courselab" and name != "courselab"}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    here = package_of(".".join(["courselab", *path.relative_to(SOURCE).with_suffix("").parts]))
    if here is None:
        return
    for name in imports_of(path):
        there = package_of(name)
        assert there is not None, f"{path} imports the entry point"
        allowed = there == here or LAYERS[there] < LAYERS[here]
        assert allowed, f"{path} is in {here} and imports {name}"


@pytest.mark.parametrize("verb", ["list", "progress", "status", "tasks", "hint"])
def test_what_only_tells_does_not_import_the_grader(verb: str) -> None:
    code = f"import sys, courselab.cli.{verb}; print([name for name in sys.modules if name.startswith('courselab.grade')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, courselab.cli.main; print([m for m in ('kubernetes', 'rich', 'yaml', 'msgspec', 'testinfra') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# These write down when something was; nobody measures how long something took with a clock that can jump.
STAMPS = {
    "k3s/download.py",
    "k3s/leftovers.py",
    "k3s/standin/unused.py",
    "grade/collect.py",
    "grade/machine_facts.py",
    "grade/experiments.py",
    "site/guard.py",  # a code says until when it is good, to another process and not again after a reboot
}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_clock_that_jumps_ends_no_wait(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)]
    wall_clock = [node for node in calls if isinstance(node.value, ast.Name) and (node.value.id, node.attr) == ("time", "time")]
    assert not wall_clock or str(path.relative_to(SOURCE)) in STAMPS, "use time.monotonic, or say here why this is a time stamp"
