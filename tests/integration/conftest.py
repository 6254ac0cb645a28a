"""What these tests use on the host beside what `lab` installs itself."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess

import pytest

from tests.integration.live import FULL, VIRTUAL_MACHINE, live, live_said

# program → Debian package: what Docker would use, and what a user without root would.
TOOLS = {"iptables": "iptables", "sudo": "sudo"}
# What is random in a test comes from this number; `LAB_SEED=…` runs the same again.
SEED = int(os.environ.get("LAB_SEED") or secrets.randbelow(1_000_000))
collect_ignore = [] if VIRTUAL_MACHINE in live() else ["test_multipass_vm.py"]


def pytest_report_header() -> str:
    """Say what this run leaves out."""
    left_out = [] if FULL else ["test_walks.py (all chapters on their pages)", "all but two minutes of test_soak.py"]
    left_out += [f"{name} (a real virtual machine, until its turn)" for name in collect_ignore]
    said = f"left out: {', '.join(left_out)} (LAB_FULL=1 takes them in)" if left_out else "full run"
    return f"LAB_SEED={SEED} · live: {live_said()} · {said}"


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """Install what is missing."""
    missing = [package for program, package in TOOLS.items() if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")]
    if missing:
        subprocess.run(["apt-get", "update", "-qq"], timeout=300, check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], timeout=600, check=True)
