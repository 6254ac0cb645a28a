"""Chapter 02 in a real virtual machine: QEMU, a disk image, a NoCloud seed and ssh, as Multipass has them on Linux."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.command import LabCommand
from tests.integration.standin import World, stand_in

CHAPTER = "02"


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    with stand_in(tmp_path / "multipass", "qemu") as found:
        yield found


def test_a_lab_starts_and_is_checked_in_a_virtual_machine(world: World, tmp_path: Path) -> None:
    lab = LabCommand(tmp_path / "home")
    try:
        lab.ok("start", CHAPTER, "--on", "multipass")
        kernel = lab.ok("shell", "--lab", CHAPTER, "server", "--", "sh", "-c", "uname -r; hostname; systemd-detect-virt").stdout.split()
        assert kernel[0] != Path("/proc/sys/kernel/osrelease").read_text().strip(), "it has a kernel of its own"
        assert kernel[1] == "server" and kernel[2] in ("qemu", "kvm")
        report = json.loads(lab.run("check", CHAPTER, "--no-wait", "--json").stdout)
        assert report["provider"] == "multipass"
        assert {check["verdict"] for check in report["checks"]} <= {"fail", "blocked"}
    finally:
        lab.ok("delete", CHAPTER, "--yes")
    assert world.names() == []
