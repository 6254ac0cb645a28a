"""The provider `multipass` on real machines, through the stand-in for its command: the contract, a machine's life, faults, whole labs."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from courselab import process
from courselab.course import Catalog
from courselab.course.scripts import read_scripts
from courselab.errors import LabError, Unreachable
from courselab.machines.base import MachineSpec, MachineState, Mount
from courselab.machines.multipass.command import Command
from courselab.machines.multipass.host import Host
from courselab.machines.multipass.launch import Waiting
from courselab.machines.multipass.provider import MultipassProvider
from courselab.machines.multipass.system import System
from courselab.progress import Silent
from tests.integration.command import COURSE, LabCommand
from tests.integration.standin import World, stand_in

PATIENCE_S = 8.0  # instead of half a minute, for a question that is never answered


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    """The stand-in over local machines. At the end no machine is left, and the host is as it was."""
    with stand_in(tmp_path_factory.mktemp("multipass")) as found:
        yield found


@pytest.fixture
def provider(world: World, tmp_path: Path) -> Generator[MultipassProvider]:
    """The driver with a state folder of its own; no question is waited for longer than PATIENCE_S."""
    made = _provider(tmp_path)
    yield made
    (world.home / "faults").unlink(missing_ok=True)
    for machine in made.list():
        machine.delete()
    assert world.names() == []


def _provider(folder: Path) -> MultipassProvider:
    def runner(argv: Any, *, timeout_s: float, input: Any, output_limit: int) -> process.Completed:
        questions = argv[1] in ("list", "info", "version")
        return process.run(argv, timeout_s=PATIENCE_S if questions else timeout_s, input=input, output_limit=output_limit)

    waiting = Waiting(every_s=0.3, comes_up_s=20, address_s=5)
    recipe = COURSE / "infra" / "multipass"
    command = Command(System("linux"), runner)
    return MultipassProvider(Host.of(command, waiting, state=folder / "state", cache=folder / "cache", recipe=recipe, progress=Silent()))


def spec(name: str = "k3s-02-server", **more: Any) -> MachineSpec:
    return MachineSpec(**{"name": name, "hostname": "server", "lab": "02", "memory_mib": 1024, **more})


# The contract

EXAMPLE_LIST = {"list": [{"name": "vm", "state": "Running", "ipv4": ["10.38.112.21"], "release": "Ubuntu 24.04 LTS"}]}
EXAMPLE_RUNNING = {
    "state": "Running", "image_hash": "1d2c", "image_release": "24.04 LTS", "release": "Ubuntu 24.04.3 LTS", "cpu_count": "2",
    "snapshot_count": "1", "load": [0.42, 0.31, 0.12], "disks": {"sda1": {"total": "20462817280", "used": "3512098816"}},
    "memory": {"total": 4104728576, "used": 1287999488}, "ipv4": ["10.38.112.21"], "mounts": {},
}  # fmt: skip
EXAMPLE_STOPPED = {
    "state": "Stopped", "image_hash": "1d2c", "image_release": "24.04 LTS", "release": "", "cpu_count": "", "snapshot_count": "0",
    "load": [], "disks": {"sda1": {}}, "memory": {}, "ipv4": [], "mounts": {},
}  # fmt: skip
EXAMPLE_SNAPSHOT = {
    "parent": "", "children": ["joined"], "comment": "", "created": "Tue 11 Nov 2025 10:15:42 CET", "cpu_count": "2",
    "memory_size": "4.0GiB", "disk_space": "20.0GiB", "size": "", "mounts": {},
}  # fmt: skip


def shape(value: Any) -> Any:
    """Keys and types of a JSON value; of a list, those of its first item."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def stderr_of(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode()


def test_the_stand_in_keeps_the_contract(world: World) -> None:
    assert shape(world.json("version")) == shape({"multipass": "1.16.3+mac", "multipassd": "1.16.3+mac"})
    assert world.json("list") == {"list": []}
    launched = world.multipass("launch", "noble", "-n", "vm", "-m", "1G", "-d", "8G", "--cloud-init", "-", input=b"runcmd: [echo]\n")
    assert launched.returncode == 0 and b"\x1b[2K\x1b[0A" in launched.stdout and launched.stdout.endswith(b"Launched: vm\n")
    assert shape(world.json("list")) == shape(EXAMPLE_LIST)
    assert world.json("list", "--no-ipv4")["list"][0]["ipv4"] == []
    info = world.json("info", "vm")
    assert info["errors"] == [] and shape(info["info"]["vm"]) == shape(EXAMPLE_RUNNING)
    assert shape(world.json("networks")) == shape({"list": [{"name": "en0", "type": "wifi", "description": "Wi-Fi"}]})
    found = world.json("find")
    assert list(found) == ["errors", "blueprints (deprecated)", "images"]
    assert shape(found["images"]["24.04"]) == shape({"os": "", "release": "", "version": "", "aliases": [""], "remote": ""})
    assert world.json("aliases")["active-context"] == "default"
    assert world.multipass("get", "local.vm.memory").stdout == b"1.0GiB\n"
    assert world.multipass("get", "local.bridged-network").stdout == b"<empty>\n"
    assert (world.multipass("get", "client.nothing").returncode, world.multipass("get", "local.nothing").returncode) == (1, 2)
    _exec_keeps_the_contract(world)
    _transfer_keeps_the_contract(world)
    _snapshots_keep_the_contract(world)
    assert world.multipass("delete", "vm").returncode == 0
    assert world.json("list")["list"][0]["state"] == "Deleted"
    taken = world.multipass("launch", "-n", "vm")
    assert (taken.returncode, stderr_of(taken)) == (2, 'launch failed: instance "vm" already exists\n')
    assert stderr_of(world.multipass("exec", "vm", "--", "true")).endswith('instance "vm" is deleted\n')
    assert world.multipass("delete", "--purge", "vm").returncode == 0
    assert stderr_of(world.multipass("start", "vm")) == "start failed: instance(s) missing\nInstance 'vm' does not exist.\n"


def _exec_keeps_the_contract(world: World) -> None:
    words = ["a b", "$HOME", "x'y", "*", ""]
    echoed = world.multipass("exec", "-n", "vm", "--", "sh", "-c", 'id -un; printf "%s|" "$@"; exit 5', "sh", *words)
    assert (echoed.returncode, echoed.stdout.decode()) == (5, "ubuntu\n" + "".join(f"{word}|" for word in words))
    assert world.multipass("exec", "-n", "vm", "--", "cat", input=b"\x00\xff\r\n").stdout == b"\x00\xff\r\n"
    assert world.multipass("exec", "-d", "/tmp", "vm", "--", "pwd").stdout == b"/tmp\n"
    broken = world.multipass("exec", "-d", "/tmp", "vm", "--", "sudo", "sh", "-c", "echo one two")
    assert broken.stdout == b"\n", "with a folder and sudo, words are joined unescaped"
    assert world.multipass("exec", "-n", "-d", "/tmp", "vm", "--", "pwd").returncode == 1


def _transfer_keeps_the_contract(world: World) -> None:
    assert world.multipass("transfer", "-", "vm:/tmp/file", input=b"\x00data").returncode == 0
    assert world.multipass("transfer", "vm:/tmp/file", "-").stdout == b"\x00data"
    assert world.multipass("exec", "-n", "vm", "--", "stat", "-c", "%a %U", "/tmp/file").stdout == b"664 ubuntu\n"
    missing = world.multipass("transfer", "-", "vm:/no/such/file", input=b"")
    assert missing.returncode == 2 and "[sftp] remote target does not exist" in stderr_of(missing)
    folder = world.multipass("transfer", str(world.home), "vm:/tmp")
    assert folder.returncode == 2 and "recursive mode not specified" in stderr_of(folder)


def _snapshots_keep_the_contract(world: World) -> None:
    running = world.multipass("snapshot", "vm")
    assert (running.returncode, stderr_of(running)) == (2, "snapshot failed: Multipass can only take snapshots of stopped instances.\n")
    assert world.multipass("stop", "vm").returncode == 0
    assert shape(world.json("info", "vm")["info"]["vm"]) == shape(EXAMPLE_STOPPED)
    assert stderr_of(world.multipass("transfer", "vm:/x", "-")) == 'transfer failed: instance "vm" is not running\n'
    assert world.multipass("snapshot", "vm", "-n", "base").stdout.endswith(b"Snapshot taken: vm.base\n")
    assert world.multipass("snapshot", "vm", "-n", "joined").returncode == 0
    assert shape(world.json("info", "vm.base")["info"]["vm"]["snapshots"]["base"]) == shape(EXAMPLE_SNAPSHOT)
    listed = world.json("list", "--snapshots")
    assert listed == {"errors": [], "info": {"vm": {"base": {"parent": "", "comment": ""}, "joined": {"parent": "base", "comment": ""}}}}
    assert stderr_of(world.multipass("snapshot", "vm", "-n", "base")) == "snapshot failed: Snapshot already exists: vm.base\n"
    assert world.multipass("restore", "vm.base").returncode == 1
    assert stderr_of(world.multipass("restore", "vm.no", "--destructive")) == "restore failed: No such snapshot: vm.no\n"
    assert world.multipass("restore", "vm.base", "--destructive").returncode == 0
    assert world.multipass("delete", "vm.base").returncode == 2
    assert world.multipass("delete", "--purge", "vm.base").returncode == 0
    assert world.multipass("clone", "vm", "-n", "copy").stdout.endswith(b"Cloned from vm to copy.\n")
    assert {row["name"]: row["state"] for row in world.json("list")["list"]} == {"copy": "Stopped", "vm": "Stopped"}
    assert world.multipass("delete", "--purge", "copy").returncode == 0
    started = world.multipass("exec", "-n", "vm", "--", "echo", "up")
    assert started.stdout.endswith(b"up\n") and b"Starting vm" in started.stdout, "exec starts a stopped machine, and says so"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["launch", "-m", "64M"], 2, "Invalid memory size value supplied: 64M."),
        (["launch", "-m", "4Q"], 1, "4Q is not a valid memory size"),
        (["launch", "-d", "64M"], 2, "Invalid disk size value supplied: 64M."),
        (["launch", "-n", "1x"], 2, "Invalid instance name supplied: 1x"),
        (["launch", "x"], 2, 'Unable to find an image matching "x" in remote "".'),
        (["launch", "r:x"], 2, "Remote 'r' is not found."),
        (["launch", "--network", "eth9"], 2, "Invalid network options supplied"),
        (["launch", "-d", "1G"], 2, "below minimum for this image"),
        (["launch", "--nonsense"], 1, "nonsense"),
        (["info", "x"], 2, 'instance "x" does not exist'),
        (["stop", "x"], 2, 'instance "x" does not exist'),
    ],
)
def test_the_stand_in_refuses_as_the_contract_says(world: World, words: list[str], code: int, text: str) -> None:
    done = world.multipass(*words)
    assert done.returncode == code and text in stderr_of(done) and done.stdout == b""
    assert world.names() == []


# A machine's life


def test_a_machine_s_life(world: World, provider: MultipassProvider, tmp_path: Path) -> None:
    work, shared = tmp_path / "my work", tmp_path / "shared"
    work.mkdir()
    (work / "a b.yaml").write_text("x: 1\n")
    (shared / "bin").mkdir(parents=True)
    (shared / "bin" / "tool").write_text("#!/bin/sh\necho tool\n")
    (shared / "bin" / "tool").chmod(0o755)
    machine = provider.create(spec(mounts=(Mount(work, "/home/student/work", writable=True), Mount(shared, "/opt/shared"))))
    assert machine.run(["/opt/shared/bin/tool"], timeout_s=20).stdout == b"tool\n"
    _cloud_init_did_its_work(machine)
    said = machine.run(["sh", "-c", "id -un; pwd; cat work/*.yaml; sudo id -un"], timeout_s=20, user="student").text
    assert said == "student\n/home/student\nx: 1\nroot\n"
    machine.put("/etc/deep/file", b"\x00\xff", mode=0o600, owner="student")
    assert machine.get("/etc/deep/file") == b"\x00\xff"
    assert machine.run(["stat", "-c", "%a %U", "/etc/deep/file"], timeout_s=20).text == "600 student\n"
    machine.run(["sh", "-c", "echo made > work/made.txt"], timeout_s=20, user="student").check("no file")
    key = provider.host.folder / "key" / "ssh_key"
    ssh = ["ssh", "-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path / 'known'}", "-o", "BatchMode=yes"]
    assert (
        subprocess.run([*ssh, f"student@{machine.address}", "hostname"], capture_output=True, timeout=30, check=False).stdout == b"server\n"
    )
    address = machine.address
    machine.stop()
    assert machine.state is MachineState.STOPPED and (work / "made.txt").read_text() == "made\n"
    with pytest.raises(Unreachable):
        machine.run(["true"], timeout_s=20)
    assert world.json("list")["list"][0]["state"] == "Stopped", "nothing was started by asking"
    machine.snapshot("before")
    machine.start()
    assert machine.address == address
    machine.run(["touch", "/root/after"], timeout_s=20).check("no file")
    machine.stop()
    machine.restore("before")
    machine.start()
    assert machine.run(["test", "-e", "/root/after"], timeout_s=20).code == 1
    machine.delete()
    assert provider.list() == [] and (work / "a b.yaml").exists()


def _cloud_init_did_its_work(machine: Any) -> None:
    def said(command: str) -> str:
        return machine.run(["sh", "-c", command], timeout_s=60).text

    assert said("cloud-init status").startswith("status: done")
    assert said("hostname") == "server\n"
    assert "127.0.1.1 server\n" in said("cat /etc/hosts")
    assert "PollIntervalMaxSec=30" in said("cat /etc/systemd/timesyncd.conf.d/courselab.conf")
    assert "Valid" in said("cloud-init schema --config-file /var/lib/cloud/seed/nocloud/user-data 2>&1")
    assert said("grep -c ssh-ed25519 /home/ubuntu/.ssh/authorized_keys") == "2\n", "Multipass's key and ours"


def test_several_machines_come_up_together(world: World, provider: MultipassProvider) -> None:
    specs = [spec(f"k3s-03-{name}", hostname=name, lab="03") for name in ("server", "agent1", "agent2")]
    addresses: dict[str, str] = {}

    def create(one: MachineSpec) -> None:
        addresses[one.hostname] = provider.create(one).address

    threads = [threading.Thread(target=create, args=(one,)) for one in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(set(addresses.values())) == 3
    reached = provider.list("03")[0].run(["ping", "-c1", "-W5", addresses["server"]], timeout_s=20)
    assert reached.code == 0, "machines of a lab reach each other"


# Faults


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("launch-unknown", "no-answer"),
        ("launch-stuck", "slow"),
        ("launch-died", "died"),
        ("disk-full", "disk-full"),
    ],
)
def test_a_launch_that_fails_ends_in_its_error_and_leaves_nothing(world: World, provider: MultipassProvider, fault: str, kind: str) -> None:
    world.order(fault)
    with pytest.raises(LabError) as told:
        provider.create(spec())
    assert getattr(told.value, "kind", None) == kind and told.value.why and told.value.fix
    assert provider.list() == [] and world.names() == []


@pytest.mark.parametrize("fault", ["launch-starting", "launch-slow-init", "no-address", "info-ssh", "half-json"])
def test_what_can_be_recovered_from_is(world: World, provider: MultipassProvider, fault: str) -> None:
    world.order(fault)
    machine = provider.create(spec())
    assert machine.state is MachineState.RUNNING and machine.run(["id", "student"], timeout_s=20).code == 0


@pytest.mark.parametrize(
    ("fault", "remedy"), [("daemon", "restart"), ("authenticate", "multipass authenticate"), ("version-old", "refresh|install")]
)
def test_a_multipass_that_cannot_be_used_is_not_available(world: World, provider: MultipassProvider, fault: str, remedy: str) -> None:
    world.order(fault, -1)
    seen = provider.available()
    assert not seen.usable and seen.why and re.search(remedy, seen.fix)


def test_a_question_that_is_never_answered_ends_at_its_deadline(world: World, provider: MultipassProvider) -> None:
    world.order("list-hang")
    seen = provider.available()
    assert not seen.usable and "did not end" in seen.why and "restart" in seen.fix


def test_an_answer_of_the_next_version_is_understood(world: World, provider: MultipassProvider) -> None:
    world.order("answer-117", -1)
    assert provider.available().usable
    assert provider.create(spec()).state is MachineState.RUNNING


def test_exec_that_hangs_and_a_machine_that_vanishes(world: World, provider: MultipassProvider) -> None:
    machine = provider.create(spec())
    world.order("exec-hang")
    with pytest.raises(process.CommandTimeout):
        machine.run(["true"], timeout_s=2)
    assert machine.run(["true"], timeout_s=20).code == 0
    world.order("vanish")
    with pytest.raises(Unreachable):
        machine.run(["true"], timeout_s=20)
    provider.host.glance.forget()
    assert machine.state is MachineState.BROKEN


# A whole lab

SETTLE_S = 120.0
MOST_COMMANDS = {"02": 32, "03": 64}  # of `multipass`, for a lab's start: more would be felt on a computer with a slow daemon


@pytest.mark.parametrize("chapter", MOST_COMMANDS)
def test_a_lab_from_start_to_delete(world: World, tmp_path: Path, chapter: str) -> None:
    lab = LabCommand(tmp_path)
    course = Catalog(COURSE).find(chapter)
    mine = tmp_path / "work" / chapter / "mine.txt"
    before = len(world.calls())
    try:
        lab.ok("start", chapter, "--on", "multipass")
        assert len(world.calls()) - before <= MOST_COMMANDS[chapter]
        untouched = _verdicts(lab, chapter, "--no-wait")
        assert set(untouched.values()) <= {"fail", "blocked"}
        for script in read_scripts(course, "solution"):
            lab.ok("shell", *(["--root"] if script.user == "root" else []), "--lab", chapter, script.on, "--", "sh", "-elc", script.text)
        assert set(_verdicts(lab, chapter).values()) == {"pass"}
        mine.write_text("mine\n")
        lab.ok("stop", chapter)
        lab.ok("resume", chapter)
        deadline = time.monotonic() + SETTLE_S  # after a restart, pods and the way to them come back one after the other
        while set(after := _verdicts(lab, chapter).values()) != {"pass"} and time.monotonic() < deadline:
            time.sleep(1)
        assert set(after) == {"pass"}
        lab.ok("reset", chapter, "--yes")
        assert lab.ok("shell", "--lab", chapter, "server", "--", "cat", "work/mine.txt").stdout == "mine\n"
        assert "fail" in _verdicts(lab, chapter, "--no-wait").values(), "the cluster is a new one"
    finally:
        lab.ok("delete", chapter, "--yes")
    assert mine.exists() and world.names() == []


def _verdicts(lab: LabCommand, chapter: str, *words: str) -> dict[str, str]:
    report = json.loads(lab.run("check", chapter, "--json", *words).stdout)
    return {check["id"]: check["verdict"] for check in report["checks"]}
