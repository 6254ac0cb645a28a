"""Local machines: the command lines that boot one and send programs into it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from courselab.errors import LabError, UsageError
from courselab.machines.base import MachineSpec, Mount
from courselab.machines.local import enter, image, spawn
from courselab.machines.local.image import Sources, mmdebstrap_argv
from courselab.machines.local.names import HostNames

SPEC = MachineSpec("k3s-02-server", "server", "02", mounts=(Mount(Path("/home/a b/w:1"), "/home/student/work", writable=True),))


def test_a_shared_folder_with_a_colon_and_a_space_reaches_the_machine() -> None:
    argv = spawn.nspawn_argv(Path("/s/m"), SPEC, machine="x", bridge="b")
    assert r"--bind=/home/a b/w\:1:/home/student/work" in argv


def test_a_folder_is_read_only_unless_asked_otherwise() -> None:
    spec = MachineSpec("m", "m", "02", mounts=(Mount(Path("/opt/x"), "/opt/x"),))
    assert "--bind-ro=/opt/x:/opt/x" in spawn.nspawn_argv(Path("/s/m"), spec, machine="x", bridge="b")


@pytest.mark.parametrize("power", ["sys_time", "sys_module", "sys_rawio"])
def test_neither_a_machine_nor_a_program_sent_into_it_may_harm_the_host(power: str) -> None:
    booted = spawn.nspawn_argv(Path("/s/m"), SPEC, machine="x", bridge="b")
    assert f"CAP_{power.upper()}" in next(word for word in booted if word.startswith("--drop-capability="))
    assert f"-{power}" in next(word for word in enter.entering(7, ["id"], user="root") if word.startswith("--bounding-set="))


def test_a_program_gets_the_environment_of_its_user() -> None:
    argv = enter.entering(7, ["id"], user="student")
    assert {"HOME=/home/student", "USER=student"} <= set(argv)
    assert argv[argv.index("-C") + 1] == "/home/student"
    assert argv[-1] == "id"


@pytest.mark.parametrize("user", ["", "a b", "--reuid=0", "../x", "root;id", "x" * 40])
def test_a_strange_user_name_is_refused(user: str) -> None:
    with pytest.raises(UsageError):
        enter.entering(7, ["id"], user=user)


def test_words_reach_a_shell_on_a_terminal_unchanged() -> None:
    words = ["echo", "it's", "a  b", "$HOME", "*", ""]
    argv = enter.shell(7, ["printf", "%s|", *words], user="root", terminal=True)
    said = subprocess.run(["sh", "-c", argv[argv.index("--command") + 1]], capture_output=True, text=True, check=True)
    assert said.stdout == "echo|it's|a  b|$HOME|*||"


def test_a_process_joins_every_group_before_it_becomes_the_command(tmp_path: Path) -> None:
    groups = [tmp_path / "a b", tmp_path / "c"]
    done = subprocess.run(enter.joining(groups, ["echo", "x y", "--"]), capture_output=True, text=True, check=True)
    assert done.stdout == "x y --\n"
    assert [group.read_text() for group in groups] == ["0\n", "0\n"]


def test_a_command_does_not_run_outside_of_its_groups(tmp_path: Path) -> None:
    done = subprocess.run(enter.joining([tmp_path / "gone" / "x"], ["echo", "ran"]), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ran" not in done.stdout


def test_the_groups_of_a_process_on_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "5:cpu,cpuacct:/lab/m\n1:name=systemd:/lab/m/init.scope\n0::/lab/u\n"
    monkeypatch.setattr(Path, "read_text", lambda _: listing)
    tops = [(Path("/c/cpu"), "cpu,cpuacct"), (Path("/c/systemd"), "name=systemd"), (Path("/c/u"), ""), (Path("/c/x"), "rdma")]
    assert enter.groups_of(1, tops) == [
        Path("/c/cpu/lab/m/cgroup.procs"),
        Path("/c/systemd/lab/m/init.scope/cgroup.procs"),
        Path("/c/u/lab/u/cgroup.procs"),
    ]


def test_the_image_is_made_from_what_this_computer_uses(tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("# what\nsystemd # init\n\ncurl\n")
    sources = Sources("noble", ("deb http://mirror.example/ubuntu noble main universe",), ('Acquire::http::Proxy "http://p:1";',))
    argv = mmdebstrap_argv(tmp_path / "root", tmp_path, sources)
    assert argv[:3] == ["unshare", "--mount", "--propagation=private"], "what it mounts must end with it"
    assert "--include=systemd,curl" in argv
    assert '--aptopt=Acquire::http::Proxy "http://p:1";' in argv
    assert argv[-3:] == ["noble", str(tmp_path / "root"), "deb http://mirror.example/ubuntu noble main universe"]


def test_names_fit_the_kernel_and_differ_between_state_folders(tmp_path: Path) -> None:
    one, other = HostNames.of(tmp_path / "one"), HostNames.of(tmp_path / "other")
    for name in ("k3s-02-server", "x" * 60):
        assert len(one.bridge(name)) <= 15
        assert len(one.veth(name)) <= 15
        assert one.machine(name) != other.machine(name)
    assert one.bridge("02") != other.bridge("02") != other.bridge("03")
    assert one.group != other.group
    assert one.table != other.table
    assert HostNames.of(tmp_path / "one") == one


def test_a_shared_folder_that_is_gone_is_told_by_name(tmp_path: Path) -> None:
    """The checkout was moved, or the cache emptied, while the lab was stopped."""
    there, gone = Mount(tmp_path, "/there"), Mount(tmp_path / "gone", "/gone")
    spawn.refuse_without_shared(MachineSpec("k3s-02-server", "server", "02", mounts=(there,)))
    with pytest.raises(LabError, match="cannot start") as told:
        spawn.refuse_without_shared(MachineSpec("k3s-02-server", "server", "02", mounts=(there, gone)))
    assert str(tmp_path / "gone") in told.value.why
    assert "lab reset 02" in told.value.fix


def test_an_image_that_has_had_no_room_for_a_while_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt may wait for its own helpers for ever on a full disk."""
    now, free = [100.0], [0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(image.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free[0]))
    room = image._Room(tmp_path)
    room.look()
    now[0] += 9
    room.look()  # what is full for a moment may be cleaned
    free[0] = 5 << 20
    room.look()
    free[0] = 3000
    now[0] += 9
    room.look()
    now[0] += 11
    with pytest.raises(LabError) as given_up:
        room.look()
    assert "The disk is full: 2 KiB are free" in given_up.value.why
