"""`lab doctor --fix` on the real host: what crashed runs left is gone, what runs is as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from courselab.machines.local.names import HostNames
from courselab.paths import find_paths
from tests.integration.command import COURSE, LabCommand, host_marks
from tests.integration.traces import traces


@pytest.fixture
def command(tmp_path: Path) -> Generator[LabCommand]:
    before = host_marks()
    made = LabCommand(tmp_path / "home")
    yield made
    made.ok("delete", "--all", "--yes")
    assert traces(machines_of(made)) == {}
    assert host_marks() == before


def machines_of(command: LabCommand) -> Path:
    return find_paths({"LAB_HOME": str(command.home)}).machines


def leftovers(command: LabCommand, *words: str) -> list[str]:
    return json.loads(command.run("doctor", "--json", *words).stdout)["leftovers"]


def of_this_home(command: LabCommand, found: list[str]) -> list[str]:
    """Without what tests beside this one leave in a shared cache, or on the host, for a moment."""
    key = HostNames.of(machines_of(command)).key
    return [one for one in found if key in one or "k3s-0" in one or "kernel settings" in one]


def kill_during_start(command: LabCommand, chapter: str) -> None:
    """Kill `lab start` with SIGKILL as soon as its machine has a disk."""
    running = subprocess.Popen(
        [str(COURSE / "lab"), "start", chapter], env=command.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while running.poll() is None and not (machines_of(command) / f"k3s-{chapter}-server" / "disk").exists():
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(10)


def lasting(command: LabCommand) -> dict[str, list[str]]:
    """What machines have on the host, without their processes, which come and go."""
    return {kind: names for kind, names in traces(machines_of(command)).items() if "processes" not in kind}


def test_a_running_lab_is_not_touched_and_what_another_left_is_removed(command: LabCommand) -> None:
    command.ok("start", "02")
    assert of_this_home(command, leftovers(command)) == []
    kill_during_start(command, "03")
    shutil.rmtree(find_paths({"LAB_HOME": str(command.home)}).labs / "03")  # the lab is forgotten, its machine is there
    there = lasting(command)
    listed = of_this_home(command, leftovers(command))
    assert any("machine k3s-03-server" in one for one in listed), listed
    assert lasting(command) == there, "listing changes nothing"
    assert leftovers(command, "--fix")
    assert of_this_home(command, leftovers(command)) == []
    assert [path.name for path in machines_of(command).glob("[!.]*/")] == ["k3s-02-server"]
    report = json.loads(command.run("check", "02", "--no-wait", "--json").stdout)
    assert {check["verdict"] for check in report["checks"]} <= {"fail", "blocked"}


def test_what_machines_left_on_the_host_is_removed(command: LabCommand) -> None:
    """A machine's folder is gone, all it had on the host is still there."""
    command.ok("start", "02")
    machines = machines_of(command)
    for path in {*traces(machines)["processes"], *traces(machines)["grouped processes"]}:
        with suppress(ProcessLookupError):
            os.kill(int(path.split("/")[2]), signal.SIGKILL)
    shutil.rmtree(machines / "k3s-02-server")
    shutil.rmtree(machines.parent / "labs" / "02")
    assert traces(machines)
    assert of_this_home(command, leftovers(command, "--fix"))
    assert traces(machines) == {}


@pytest.fixture
def strangers() -> Generator[list[Path]]:
    """What another program's machine, called twelve hexadecimal digits as ours are, has on the host."""
    cable, exported = "vb-0123456789ab", Path("/run/systemd/nspawn/unix-export/0123456789ab")
    subprocess.run(["ip", "link", "add", cable, "type", "bridge"], timeout=10, check=True)
    exported.mkdir(parents=True)
    yield [Path("/sys/class/net") / cable, exported]
    subprocess.run(["ip", "link", "delete", cable], timeout=10, check=False)
    shutil.rmtree(exported, ignore_errors=True)


def test_a_state_folder_that_vanished_leaves_nothing_behind(command: LabCommand, tmp_path: Path, strangers: list[Path]) -> None:
    """Somebody removed LAB_HOME while its lab ran: nobody else could ever end its machines."""
    gone = LabCommand(tmp_path / "gone")
    gone.ok("start", "02")
    machines = machines_of(gone)
    seen = set(traces(machines))
    assert seen >= {"groups", "interfaces", "firewall"}
    for _ in range(100):  # what runs there goes on writing meanwhile
        shutil.rmtree(gone.home, ignore_errors=True)
    assert not gone.home.exists()
    command.ok("start", "03")
    command.ok("doctor", "--fix")
    assert traces(machines) == {}
    assert all(path.exists() for path in strangers), "what looks like ours is not enough"
    assert command.run("check", "03", "--no-wait").returncode == 1
