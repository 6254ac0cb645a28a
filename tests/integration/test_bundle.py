"""A classroom without internet: from a bundle and its installer to a checked lab, with no route to anywhere but this computer."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from courselab.bundle.archive import members
from courselab.paths import find_paths
from tests.integration.command import LONG_S, LabCommand
from tests.integration.test_bad_days import told

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is carried to the classroom."""
    folder = tmp_path_factory.mktemp("usb stick")
    command = LabCommand(tmp_path_factory.mktemp("at home"))
    made = json.loads(command.ok("bundle", "create", str(folder / "course.lab"), "--chapters", "02", "--json").stdout)
    assert made["chapters"] == ["02"]
    assert sorted(path.name for path in folder.iterdir()) == ["course.lab", "install-lab"]
    return folder


@pytest.fixture
def offline(tmp_path: Path) -> Generator[Run]:
    """Runs programs in a network of their own, without a route out, and with a home that has never seen the course."""
    name = f"lab-{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], timeout=20, check=True)
    inside = ["nsenter", f"--net=/run/netns/{name}"]
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], timeout=20, check=True)
    # The record of kernel settings is of another network, so it must not meet that of labs outside.
    alone = ["unshare", "--mount", "sh", "-c", 'mkdir -p /run/courselab; mount -t tmpfs courselab /run/courselab; exec "$@"', "sh"]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("LAB_", "PIP_", "http", "HTTP", "GO", "VIRTUAL"))}
    env |= {"HOME": str(tmp_path / "home"), "LAB_HOME": str(tmp_path / "lab home")}

    def run(*argv: str, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*inside, *alone, *argv],
            env=env,
            cwd=cwd,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=LONG_S,
            check=False,
        )

    try:
        assert run("ip", "route").stdout == ""
        yield run
    finally:
        subprocess.run(["ip", "netns", "delete", name], timeout=20, check=True)


def test_two_commands_install_it_and_the_lab_works(stick: Path, offline: Run, tmp_path: Path) -> None:
    installed = offline("sh", str(stick / "install-lab"))
    assert installed.returncode == 0, installed.stderr
    course = tmp_path / "k3s-course-lab"
    try:
        started = offline("./lab", "start", "02", cwd=course)
        assert started.returncode == 0, started.stderr
        assert "compiled once" not in started.stderr and "only once" not in started.stderr, "all of it was brought along"
        report = json.loads(offline("./lab", "check", "02", "--no-wait", "--json", cwd=course).stdout)
        assert {check["verdict"] for check in report["checks"]} <= {"fail", "blocked"}
        assert offline("./lab", "doctor", cwd=course).returncode == 0
        assert offline("./lab", "bundle", "load", str(stick / "course.lab"), cwd=course).returncode == 0, "again changes nothing"
        assert offline("./lab", "bundle", "verify", str(stick / "course.lab"), cwd=course).returncode == 0
    finally:
        assert offline("./lab", "delete", "--all", "--yes", cwd=course).returncode == 0
    assert not any(find_paths({"LAB_HOME": str(tmp_path / "lab home")}).machines.glob("[!.]*/"))


@pytest.mark.parametrize("part", ["wheels", "machine"])
def test_a_bundle_that_was_changed_installs_nothing(stick: Path, tmp_path: Path, part: str, offline: Run) -> None:
    """One byte of one file: once for the installer, once for `lab`. Unit tests change each file."""
    changed = tmp_path / "changed"
    changed.mkdir()
    shutil.copy(stick / "course.lab", changed / "course.lab")
    with (changed / "course.lab").open("r+b") as file:
        for member, _, skip in members(file):
            if member.name.startswith(f"{part}/") and member.size > 1000:
                break
            skip()
        at = file.tell() + 500
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    if part == "wheels":
        done = offline("sh", str(stick / "install-lab"), "there", str(changed / "course.lab"))
        assert done.returncode != 0
        assert "refused" in done.stderr, done.stderr
    else:
        assert "refused" in told(LabCommand(tmp_path / "lab home").run("bundle", "load", str(changed / "course.lab")))
    (changed / "course.lab").unlink()
    assert not (tmp_path / "there").exists()
