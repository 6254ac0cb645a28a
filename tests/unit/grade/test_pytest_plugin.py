"""`pytest checkers/ --evidence FILE`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from courselab.grade.evidence import save
from tests.unit.grade.builders import deployment, evidence

SOURCE = Path(__file__).parents[3] / "src"
CONFTEST = (Path(__file__).parents[3] / "checkers" / "conftest.py").read_text()
CHECKER = """
from __future__ import annotations

from courselab.grade import check, expect

@check("02.scale", needs=["02.deploy"], reads=["Deployment"])
def scale(cluster, params):
    wanted = int(params.replicas)
    assert cluster.get("Deployment", "web", namespace="shop")["spec"]["replicas"] == wanted

@check("02.deploy", reads=["Deployment"])
def deploy(cluster):
    expect(cluster.get("Deployment", "web", namespace="shop")).matches({"metadata": {"name": "web"}})

def helper():
    raise AssertionError("not a test")
"""


@pytest.fixture
def checkers(tmp_path: Path) -> Path:
    folder = tmp_path / "checkers"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "ch02.py").write_text(CHECKER)
    save(evidence(deployment()), folder / "solved.json")
    save(evidence(deployment(replicas=2)), folder / "two.json")
    save(evidence(), folder / "untouched.json")
    save(evidence(lab="03"), folder / "other.json")
    return folder


def run(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    options = [f"--evidence={folder / name}.json" for name in names]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(folder), *options]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60, check=False, cwd=folder)


def test_checks_run_on_every_document_of_their_chapter(checkers: Path) -> None:
    done = run(checkers, "solved", "other", "two", "untouched")
    assert "2 failed, 3 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    assert "assert 2 == 3" in done.stdout, "pytest's own account of an assert"
    assert "What the learner reads" in done.stdout
    assert "There is no Deployment web in namespace shop" in done.stdout
    assert "needs 02.deploy first" in done.stdout


def test_without_evidence_nothing_runs(checkers: Path) -> None:
    assert "2 skipped" in run(checkers).stdout
