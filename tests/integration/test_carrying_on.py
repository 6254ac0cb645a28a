"""A lab whose computer was restarted, whose network changed, whose K3s does not start: `lab resume` brings it back, or says what is lost."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from courselab.paths import find_paths
from tests.integration.command import LabCommand, host_marks
from tests.integration.test_bad_days import told
from tests.integration.traces import traces


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabCommand]:
    before = host_marks()
    made = LabCommand(tmp_path_factory.mktemp("a home"))
    made.ok("start", "02")
    made.ok("kubectl", "create", "configmap", "mark", "--from-literal=kept=yes")
    yield made
    made.ok("delete", "--all", "--yes")
    assert traces(machines_of(made)) == {}
    assert host_marks() == before


@pytest.fixture
def taken(command: LabCommand) -> Generator[str]:
    """The lab's network, which something else on the host has, too: what a VPN or another Wi-Fi does."""
    own = ipaddress.ip_network(f"{address_of(command)}/24", strict=False)
    yield str(own)
    host("ip", "link", "delete", "elsewhere")


def machines_of(command: LabCommand) -> Path:
    return find_paths({"LAB_HOME": str(command.home)}).machines


def address_of(command: LabCommand) -> str:
    return json.loads(command.ok("status", "--json").stdout)["labs"][0]["machines"][0]["address"]


def host(*argv: str) -> None:
    subprocess.run(argv, timeout=20, check=True)


def take(network: str) -> None:
    host("ip", "link", "add", "elsewhere", "type", "bridge")
    host("ip", "addr", "add", f"{ipaddress.ip_network(network)[1]}/24", "dev", "elsewhere")
    host("ip", "link", "set", "elsewhere", "up")


def assert_whole(command: LabCommand) -> None:
    """The cluster answers at the machine's address, has what was in it, and can be graded."""
    assert command.ok("kubectl", "get", "configmap", "mark", "-o", "jsonpath={.data.kept}").stdout == "yes"
    node = json.loads(command.ok("kubectl", "get", "node", "server", "-o", "json").stdout)
    assert {"type": "InternalIP", "address": address_of(command)} in node["status"]["addresses"]
    for _ in range(3):  # on a computer that is busy beyond measure a check says that the machine did not answer in time
        done = command.run("check", "02", "--no-wait", "--json")
        if done.returncode != 3:
            break
    assert {check["verdict"] for check in json.loads(done.stdout)["checks"]} <= {"fail", "blocked"}, done.stdout


def end_everything(machines: Path) -> None:
    """What a power cut leaves of the machines: their folders."""
    seen = traces(machines)
    for path in {*seen.get("processes", []), *seen.get("grouped processes", [])}:
        with suppress(ProcessLookupError):
            os.kill(int(path.split("/")[2]), 9)
    for name in traces(machines).get("interfaces", []):
        subprocess.run(["ip", "link", "delete", name], timeout=20, check=False)
    for line in traces(machines).get("firewall", []):
        if line.startswith("table"):
            host("nft", "delete", *line.split()[:3])


def test_after_a_power_cut_the_lab_goes_on(command: LabCommand) -> None:
    end_everything(machines_of(command))
    command.ok("resume", "02")
    assert_whole(command)


def test_a_stopped_lab_moves_when_the_host_took_its_network(command: LabCommand, taken: str) -> None:
    command.ok("stop", "02")
    before = address_of(command)
    take(taken)
    said = command.ok("resume", "02").stderr
    assert before in said and address_of(command) in said
    assert address_of(command) != before
    assert_whole(command)


def test_a_running_lab_moves_when_the_host_took_its_network(command: LabCommand, taken: str) -> None:
    take(taken)
    assert taken in command.ok("resume", "02").stderr
    assert ipaddress.ip_address(address_of(command)) not in ipaddress.ip_network(taken)
    assert_whole(command)


def test_a_host_that_lost_the_labs_bridge_and_rules_gets_them_back(command: LabCommand) -> None:
    machines = machines_of(command)
    host("nft", "delete", *next(line for line in traces(machines)["firewall"] if line.startswith("table")).split()[:3])
    host("ip", "link", "delete", next(name for name in traces(machines)["interfaces"] if name.startswith("clab")))
    command.ok("resume", "02")
    assert traces(machines)["firewall"]
    assert_whole(command)


def test_a_machine_that_lost_its_cable_gets_another(command: LabCommand) -> None:
    host("ip", "link", "delete", next(name for name in traces(machines_of(command))["interfaces"] if name.startswith("vb-")))
    command.ok("resume", "02")
    assert_whole(command)


@pytest.mark.parametrize("verb", ["start", "resume"])
def test_a_machine_that_is_shutting_down_is_started_again(command: LabCommand, verb: str) -> None:
    """What a killed `lab stop` leaves, or `sudo poweroff`: for a while the machine still runs."""
    slow = ["systemd-run", "--unit=slow", "--property=ExecStop=/bin/sleep 5", "--remain-after-exit", "true"]
    command.ok("shell", "--root", "--", *slow)
    command.ok("shell", "--root", "--", "systemctl", "poweroff", "--no-block")
    command.ok(verb, "02")
    assert_whole(command)


def test_a_k3s_that_was_stopped_is_started(command: LabCommand) -> None:
    command.ok("shell", "--root", "--", "systemctl", "stop", "k3s")
    command.ok("resume", "02")
    assert_whole(command)


def test_a_k3s_whose_start_fails_for_a_reason_that_is_no_more_is_started(command: LabCommand) -> None:
    """It was being started while the disk was full, say, and there is room now."""
    fails = "test -e /run/room || { sleep 5; exit 1; }"
    drop_in = f"mkdir -p /run/systemd/system/k3s.service.d; printf '[Service]\\nExecStartPre=/bin/sh -c \"{fails}\"\\n' > /run/systemd/system/k3s.service.d/full.conf"
    begin = f"systemctl stop k3s; {drop_in}; systemctl daemon-reload; systemctl start --no-block k3s; sleep 1; touch /run/room"
    command.ok("shell", "--root", "--", "sh", "-c", begin)
    command.ok("resume", "02")
    assert_whole(command)


@pytest.mark.parametrize(
    ("hangs", "says"), [("$(systemctl show -P MainPID k3s)", "K3s does not answer"), ("$(pgrep kine)", "datastore does not answer")]
)
def test_a_k3s_that_hangs_is_started_anew(command: LabCommand, hangs: str, says: str) -> None:
    command.ok("shell", "--root", "--", "sh", "-c", f"kill -STOP {hangs}")
    said = command.ok("resume", "02").stderr
    assert says in said
    assert "K3s is started anew" in said
    assert_whole(command)


def test_a_k3s_that_does_not_start_is_told_and_the_newest_snapshot_leads_back(command: LabCommand) -> None:
    command.ok("snapshot", "good", "--lab", "02")
    command.ok("shell", "--root", "--", "sh", "-c", "mkdir -p /etc/rancher/k3s; echo 'no-such-flag: 1' > /etc/rancher/k3s/config.yaml")
    command.ok("stop", "02")
    said = told(command.run("resume", "02"))
    assert "no-such-flag" in said
    assert "lab restore good" in said
    command.ok("restore", "good", "--lab", "02", "--yes")
    assert_whole(command)


def test_a_machine_that_was_removed_is_told(command: LabCommand) -> None:
    command.ok("stop", "02")
    folder = machines_of(command) / "k3s-02-server"
    folder.rename(folder.with_name(".aside"))
    said = told(command.run("resume", "02"))
    assert "machine server is gone" in said
    folder.with_name(".aside").rename(folder)
    command.ok("resume", "02")
    assert_whole(command)
