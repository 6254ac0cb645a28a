"""Chapters on real clusters: `lab verify` of those that live.py names. It must hold, and leave nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from courselab.course import Catalog
from courselab.machines import Provider
from courselab.machines.choose import choose_provider
from courselab.paths import Paths, find_paths
from courselab.progress import Silent
from courselab.verify.prove import Proof, prove
from tests.integration.command import COURSE, LabCommand
from tests.integration.live import live_chapters
from tests.integration.traces import traces


def paths_at(home: Path) -> Paths:
    environ = {"LAB_HOME": str(home), "LAB_CACHE": os.environ.get("LAB_CACHE", str(Path.home() / ".cache" / "k3s-course-lab"))}
    return find_paths(environ)


def provider_of(paths: Paths, _recorded: str) -> Provider:
    return choose_provider(paths, Silent(), "local", ask=lambda _question: True)


def left_of(state: Path, chapter: str) -> dict[str, object]:
    """What verifying a chapter has left on this host."""
    folder = state / "verify" / chapter
    found: dict[str, object] = {number: traces(folder / number / "state" / "machines") for number in ("1", "2")}
    return {what: there for what, there in {**found, "folder": folder.exists()}.items() if there}


def test_the_chapters_of_this_run_hold(tmp_path: Path) -> None:
    paths = paths_at(tmp_path)
    wrong: dict[str, object] = {}
    for chapter in live_chapters():
        proof = Proof(Catalog(COURSE).find(chapter))
        prove(proof, paths, Silent(), provider_of, keep_in=tmp_path / f"evidence-{chapter}")
        wrong |= {f"{chapter} {one.case}": (one.expected, one.got, one.details, one.note) for one in proof.wrong}
        assert left_of(paths.state, chapter) == {}
    assert wrong == {}


@pytest.mark.parametrize("when", ["while its labs start", "while it tries cases in two labs"])
def test_an_interrupt_leaves_nothing(tmp_path: Path, when: str) -> None:
    command = LabCommand(tmp_path)
    second = tmp_path / "state" / "verify" / "02" / "2" / "state" / "machines" / "k3s-02-verify2-server"
    with subprocess.Popen(
        [str(COURSE / "lab"), "verify", "02", "--labs", "2", "--no-disturb"],
        env=command.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as verify:
        assert verify.stderr
        while (not second.exists() if "start" in when else "undo." not in verify.stderr.readline()) and verify.poll() is None:
            time.sleep(0.01)
        verify.send_signal(signal.SIGINT)
        shown, _ = verify.communicate(timeout=120)
    assert verify.returncode == 130
    assert re.search(r"^[01234] of [01234] cases", shown, re.MULTILINE)
    assert left_of(tmp_path / "state", "02") == {}
