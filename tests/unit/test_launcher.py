"""`./lab` itself: what it does before there is a Python environment, with a Python that only says what it was asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LAB = Path(__file__).parents[2] / "lab"
# Of the version in its name; an environment has packages of one version only.
PYTHON = """#!/bin/sh
self=$(readlink -f "$0")
of=${self##*/}
venv=$(dirname "$(dirname "$0")")
case $* in
    *"-m venv"*)
        for last; do :; done
        rm -rf "$last" && mkdir -p "$last/bin" "$last/site-of-$of" && ln -s "$self" "$last/bin/python" ;;
    *"import pip"*) [ -d "$venv/site-of-$of" ] ;;
    *sysconfig*) echo "$venv/site-of-$of" ;;
    *courselab*) [ -e "$venv/site-of-$of/courselab.pth" ] && echo "lab with $of" ;;
esac
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "the course"
    folder.mkdir()
    shutil.copy(LAB, folder / "lab")
    for name in ("requirements.txt", "requirements-dev.txt"):
        (folder / name).write_text("click\n")
    (tmp_path / "bin").mkdir()
    install(tmp_path, "python3.11")
    return folder


def install(tmp_path: Path, version: str) -> None:
    """The system's Python becomes this one, and no other is there any more."""
    for old in (tmp_path / "bin").glob("python3*"):
        old.unlink()
    (tmp_path / "bin" / version).write_text(PYTHON)
    (tmp_path / "bin" / version).chmod(0o755)
    (tmp_path / "bin" / "python3").symlink_to(version)


def run(course: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{course.parent / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run([str(course / "lab"), "list"], env=env, capture_output=True, text=True, timeout=20, check=False)


def test_the_environment_is_made_once(course: Path) -> None:
    first, second = run(course), run(course)
    assert (first.stdout, second.stdout) == ("lab with python3.11\n",) * 2, first.stderr
    assert "Setting up" in first.stderr and second.stderr == ""


@pytest.mark.parametrize("link", ["bin/python3", "bin/python3.11"], ids=["another in its place", "gone"])
def test_after_an_upgrade_of_python_the_environment_is_made_anew(course: Path, tmp_path: Path, link: str) -> None:
    run(course)
    python = course / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(tmp_path / link)  # as `python -m venv` does on Debian, and elsewhere
    install(tmp_path, "python3.13")
    after = run(course)
    assert after.stdout == "lab with python3.13\n", after.stderr
    assert run(course).stderr == ""


def test_a_folder_that_cannot_be_written_to_is_told(course: Path) -> None:
    (course / ".venv.lock").mkdir()  # so not even root can
    told = run(course)
    assert told.returncode == 4
    assert [line.split(":")[0].strip() for line in told.stderr.splitlines()] == ["lab", "why", "fix"]
