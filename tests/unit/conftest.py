"""A tiny course and a home of its own for tests that run the command."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LAB_YAML = """\
schema: 1
chapter: "02"
title: Workloads
summary: Deployments.
minutes: 30
params:
  shop: {choice: [tea, coffee]}
tasks:
  - id: 02.deploy
    title: Deploy {shop}
    text: Make a Deployment called {shop}.
    points: 2
    hints: [first, second, "third {shop}"]
"""


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector need not look through it again, thousands of times."""
    gc.freeze()


# Where an environment forbids compiled files, each of hundreds of `lab` processes would compile the course anew. `./lab` keeps them, too.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with one lab, in a folder whose name has a space and an umlaut."""
    root = tmp_path / "my cöurse"
    lab = root / "labs" / "02-workloads"
    lab.mkdir(parents=True)
    (lab / "lab.yaml").write_text(LAB_YAML, encoding="utf-8")
    return root


@pytest.fixture
def lab(course: Path, tmp_path: Path) -> Command:
    """Runs the real command as a process of its own."""

    def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("LAB_", "SUDO_"))}
        env |= {"LAB_HOME": str(tmp_path / "höme"), "LAB_COURSE": str(course), **environ}
        argv = [sys.executable, "-m", "courselab", *words]
        return subprocess.run(argv, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)

    return run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """K3s's folders as the stand-in's supervisor knows them, below a temporary one."""
    from tests.unit import standin_path

    from standin import certs, components, layout  # isort: skip

    for name, value in vars(layout).copy().items():
        if isinstance(value, Path) and name != "HOME":
            monkeypatch.setattr(layout, name, tmp_path / str(value).lstrip("/"))
    monkeypatch.setattr(layout, "HOME", standin_path.SOURCE)
    monkeypatch.setattr(components, "TLS", layout.TLS)
    certs._authority.cache_clear()
    return tmp_path
