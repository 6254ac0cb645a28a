"""Local machines: what is borrowed from the host, remembered, given back; whether machines can be had at all."""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from courselab import process
from courselab.errors import LabError
from courselab.machines.base import MachineSpec, Mount
from courselab.machines.local import available, disk, image, machine, packages, record, spawn
from courselab.machines.local.cgroups import Cgroups, find_hierarchies
from courselab.machines.local.host import Host, remove_unheld
from courselab.machines.local.hostsettings import HostSettings
from courselab.machines.local.names import HostNames
from courselab.machines.local.remote import Client, RemoteProvider
from courselab.paths import Paths
from courselab.progress import Silent

V1 = """\
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup rw,nsdelegate
"""
V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"


@pytest.fixture
def sysctls(tmp_path: Path) -> Path:
    values = {
        "net/ipv4/ip_forward": "0",
        "net/ipv4/conf/eth0/forwarding": "1",
        "vm/overcommit_memory": "0",
        "kernel/panic": "0",
        "fs/inotify/max_user_instances": "128",
        "fs/inotify/max_user_watches": "1000000",
        "net/bridge/bridge-nf-call-iptables": "1",
    }
    for name, value in values.items():
        path = tmp_path / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return tmp_path / "sys"


def settings(sysctls: Path, user: str = "one", boot: str = "first", bridges: frozenset[str] = frozenset()) -> HostSettings:
    run = sysctls.parent / "run"
    return HostSettings(user, Path("/machines") / user, boot, run=run, sysctls=sysctls, bridges=lambda: set(bridges))


def values(sysctls: Path) -> dict[str, str]:
    return {str(path.relative_to(sysctls)): path.read_text().strip() for path in sysctls.rglob("*") if path.is_file()}


def test_settings_come_back_also_those_a_machine_changed(sysctls: Path) -> None:
    before = values(sysctls)
    settings(sysctls).borrow()
    assert values(sysctls)["net/ipv4/ip_forward"] == "1"
    assert values(sysctls)["fs/inotify/max_user_instances"] == "1024"
    assert values(sysctls)["fs/inotify/max_user_watches"] == "1000000"
    (sysctls / "vm/overcommit_memory").write_text("1\n")
    (sysctls / "net/ipv4/conf/eth0/forwarding").write_text("0\n")
    settings(sysctls).give_back(lambda *_: False)
    assert values(sysctls) == before


def test_a_second_start_does_not_record_what_the_first_one_set(sysctls: Path) -> None:
    before = values(sysctls)
    settings(sysctls).borrow()
    settings(sysctls).borrow()
    settings(sysctls).give_back(lambda *_: False)
    assert values(sysctls) == before


def test_the_last_user_of_two_gives_back(sysctls: Path) -> None:
    before = values(sysctls)
    settings(sysctls, "one").borrow()
    settings(sysctls, "two").borrow()
    settings(sysctls, "one").give_back(lambda *_: True)
    assert values(sysctls)["net/ipv4/ip_forward"] == "1"
    settings(sysctls, "two").give_back(lambda *_: True)
    assert values(sysctls) == before


def test_a_user_whose_folder_vanished_does_not_count(sysctls: Path) -> None:
    before = values(sysctls)
    settings(sysctls, "gone").borrow()
    settings(sysctls, "one").borrow()
    settings(sysctls, "one").give_back(lambda key, folder: (key, folder) != ("gone", Path("/machines/gone")))
    assert values(sysctls) == before


def test_a_record_that_only_root_may_see_is_not_taken_for_none(sysctls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python 3.14 answers; other users' machines would be listed as left over."""

    def refused(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched, pytest.raises(PermissionError):
        patched.setattr(Path, "exists", lambda self: False)
        patched.setattr(Path, "read_text", refused)
        settings(sysctls).users()


def test_a_record_of_an_earlier_boot_is_not_put_back(sysctls: Path) -> None:
    settings(sysctls, boot="first").borrow()
    (sysctls / "net/ipv4/ip_forward").write_text("1\n")  # this boot began with it
    settings(sysctls, boot="second").borrow()
    settings(sysctls, boot="second").give_back(lambda *_: False)
    assert values(sysctls)["net/ipv4/ip_forward"] == "1"


def test_forwarding_stays_when_docker_came_meanwhile(sysctls: Path) -> None:
    settings(sysctls).borrow()
    (sysctls / "kernel/panic").write_text("10\n")
    settings(sysctls, bridges=frozenset({"docker0"})).give_back(lambda *_: False)
    assert values(sysctls)["net/ipv4/ip_forward"] == "1"
    assert values(sysctls)["kernel/panic"] == "0"


def test_the_bridge_module_is_loaded_without_changing_the_hosts_bridges(sysctls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = sysctls / "net/bridge/bridge-nf-call-iptables"
    call.unlink()

    def modprobe(argv: list[str], **_: object) -> process.Completed:
        call.unlink() if "--remove" in argv else call.write_text("1\n")
        return process.Completed(tuple(argv), 0, b"", b"")

    monkeypatch.setattr(process, "run", modprobe)
    monkeypatch.setattr("courselab.machines.local.hostsettings.find_program", lambda _: "/sbin/modprobe")
    settings(sysctls).borrow()
    assert call.read_text() == "0"
    settings(sysctls).give_back(lambda *_: False)
    assert not call.exists()


def test_groups_on_version_1_are_made_in_every_hierarchy() -> None:
    groups = Cgroups(HostNames("abcde"), find_hierarchies(V1), systemd=True)
    assert groups.version == 1
    assert not groups.made_by_systemd
    assert groups.folders("m1") == [
        Path("/sys/fs/cgroup/cpu,cpuacct/courselab-abcde/m1"),
        Path("/sys/fs/cgroup/systemd/courselab-abcde/m1"),
        Path("/sys/fs/cgroup/unified/courselab-abcde/m1"),
    ]
    assert [label for _, label in groups.tops] == ["cpu,cpuacct", "name=systemd", ""]


def test_on_version_2_systemd_makes_the_group_where_it_runs() -> None:
    groups = Cgroups(HostNames("abcde"), find_hierarchies(V2), systemd=True)
    assert groups.folders("m1") == [Path("/sys/fs/cgroup/system.slice/courselab-m1.scope")]
    assert "--property=MemoryMax=512M" in groups.entry("m1", 512)
    alone = Cgroups(HostNames("abcde"), find_hierarchies(V2), systemd=False)
    assert alone.folders("m1") == [Path("/sys/fs/cgroup/courselab-abcde/m1")]
    assert alone.entry("m1", 512) == []


GOOD = available.Facts("linux", True, False, (1 << 41) - 1, "nodev\toverlay\n\text4\n", False, V2, "ext4", (), True)


@pytest.mark.parametrize(
    ("facts", "why", "fix"),
    [
        (replace(GOOD, platform="darwin"), "Linux", "multipass"),
        (replace(GOOD, root=False), "root", "sudo"),
        (replace(GOOD, capabilities=0xA80425FB), "container", "--privileged"),
        (replace(GOOD, filesystems="ext4\n"), "overlayfs", "OVERLAY"),
        (replace(GOOD, mountinfo=""), "Control groups", "cgroup2"),
        (replace(GOOD, state_filesystem="nfs4"), "nfs4", "LAB_HOME"),
        (replace(GOOD, missing=("mmdebstrap",), apt=False), "mmdebstrap", "Install"),
    ],
)
def test_what_is_in_the_way_is_told_with_a_remedy(facts: available.Facts, why: str, fix: str) -> None:
    verdict = available.judge(facts)
    assert not verdict.usable
    assert why in verdict.why
    assert fix in verdict.fix


def test_missing_packages_are_no_hindrance_where_they_can_be_installed() -> None:
    assert available.judge(GOOD).usable
    assert available.judge(replace(GOOD, root=False, sudo=True, capabilities=0, missing=("mmdebstrap",))).usable


def test_the_file_system_of_a_folder_that_is_not_made_yet(tmp_path: Path) -> None:
    mounts = f"1 1 0:1 / / rw - ext4 d rw\n2 1 0:2 / {tmp_path} rw - xfs d rw\n3 1 0:3 / {tmp_path}/a\\040b rw - nfs4 d rw\n"
    (tmp_path / "a b").mkdir()
    assert available.filesystem_of(tmp_path / "x/y", mounts) == "xfs"
    assert available.filesystem_of(tmp_path / "a b/x", mounts) == "nfs4"
    assert available.filesystem_of(Path("/nowhere"), mounts) == "ext4"


class Told(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_packages_are_named_with_their_reason_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(process, "run", lambda argv, **_: ran.append(argv) or process.Completed(tuple(argv), 0, b"", b""))
    told, asked = Told(), list[str]()
    packages.install([packages.NEEDS[1]], lambda question: asked.append(question) or True, told, lambda name: f"/usr/bin/{name}")
    assert "mmdebstrap (makes the machine image)" in told.lines[0]
    assert asked == ["Install mmdebstrap now?"]
    assert ran[0][-1] == "mmdebstrap"


def test_a_no_installs_nothing_and_says_the_command() -> None:
    with pytest.raises(LabError) as told:
        packages.install([packages.NEEDS[0]], lambda _: False, Silent(), lambda name: f"/usr/bin/{name}")
    assert "apt-get install systemd-container" in told.value.fix


def test_without_apt_the_missing_programs_are_named() -> None:
    with pytest.raises(LabError, match="not installed") as told:
        packages.install([packages.NEEDS[0]], lambda _: True, Silent(), lambda _: None)
    assert "systemd-container" in told.value.why


TARGETS = """\
http://mirror.example/debian/|bookworm|bookworm|main
http://mirror.example/debian/|bookworm|bookworm|contrib
http://mirror.example/debian/|bookworm-updates|bookworm-updates|main
http://mirror.example/security/|bookworm-security|bookworm-security|main
https://other.example/docker/|bookworm|bookworm|stable
https://other.example/cloud/|sdk|$(CODENAME)|main
"""


def test_only_the_distributions_own_sources_are_used() -> None:
    sources = image.parse_sources("bookworm", TARGETS, 'Acquire::http::Proxy "http://p:3142";\nAcquire::http "";\nAPT::Foo "1";\n')
    assert sources.lines == (
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/security/ bookworm-security main",
    )
    assert sources.options == ('Acquire::http::Proxy "http://p:3142";',)


def test_sources_that_say_stable_are_recognised() -> None:
    assert image.parse_sources("bookworm", "http://m.example/|stable|bookworm|main\n", "").lines == ("deb http://m.example/ stable main",)


def test_no_source_of_the_distribution_is_told() -> None:
    with pytest.raises(LabError, match="no source"):
        image.parse_sources("bookworm", "https://other.example/|trixie|trixie|main\n", "")


def test_an_image_is_another_one_when_its_recipe_changes(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "packages.txt").write_text("systemd\n")
    first = image.find_image(tmp_path, tmp_path, "bookworm")
    assert image.find_image(tmp_path, tmp_path, "bookworm") == first
    assert image.find_image(tmp_path, tmp_path, "trixie") != first
    (tmp_path / "rootfs/x").write_text("#!/bin/sh\n")
    changed = image.find_image(tmp_path, tmp_path, "bookworm")
    assert changed != first
    (tmp_path / "rootfs/x").chmod(0o755)
    assert image.find_image(tmp_path, tmp_path, "bookworm") != changed


def test_a_half_made_image_does_not_count(tmp_path: Path) -> None:
    made = image.Image("abc", tmp_path / "abc")
    (tmp_path / "abc/root").mkdir(parents=True)
    assert not made.ready
    (tmp_path / "abc/complete").write_text("abc\n")
    assert made.ready


def test_an_image_that_a_machine_uses_is_kept(tmp_path: Path) -> None:
    images = {name: image.Image(name, tmp_path / "machine-image" / name) for name in ("now", "used", "unused")}
    for name, one in images.items():
        (one.folder / "root").mkdir(parents=True)
        (one.folder / "complete").write_text(name)
        image.use(one, "key", tmp_path / "machines")
    image.remove_unused(tmp_path, images["now"], lambda _: {images["used"].root})
    assert [name for name, one in images.items() if one.folder.exists()] == ["now", "used"]


def test_a_machine_is_remembered_as_it_was_asked_for(tmp_path: Path) -> None:
    spec = MachineSpec("m", "server", "02", memory_mib=512, mounts=(Mount(Path("/wörk dir"), "/w", writable=True),), student_uid=1001)
    asked = record.Record(spec, "10.1.2.11", Path("/cache/root"))
    record.save(asked, tmp_path / "m")
    assert record.load(tmp_path / "m") == asked
    assert record.all_below(tmp_path) == [asked]
    assert record.load(tmp_path / "other") is None


def test_a_user_who_is_not_root_may_read_which_process_a_machine_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's helper writes it; `lab status` or `lab check` of the learner read it."""
    monkeypatch.setattr(spawn, "MARK", "/")
    monkeypatch.setattr(machine, "is_first_of_namespace", lambda pid: True)
    monkeypatch.setattr(Cgroups, "pids", lambda self, name: {os.getpid()})
    made = record.Record(MachineSpec("k3s-02-server", "server", "02"), "10.96.0.11", tmp_path)
    record.save(made, tmp_path / "k3s-02-server")
    assert machine.LocalMachine(made, Host.of(tmp_path)).leader()
    assert (tmp_path / "k3s-02-server" / "leader.json").stat().st_mode & 0o777 == 0o644


def test_sudo_is_asked_on_the_terminal_that_it_remembers_a_password_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `lab start 2> log` is refused with "Run `sudo true` first", and that helps nothing."""
    sudo = tmp_path / "sudo"
    sudo.write_text(f"#!/bin/sh\ncut -d' ' -f6 /proc/$$/stat > '{tmp_path}/session'\nexit 1\n")
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    paths = Paths(tmp_path, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    with pytest.raises(LabError, match="need root"):
        Client(paths, Silent(), lambda question: True).call("prepare")
    assert int((tmp_path / "session").read_text()) == os.getsid(0)


def test_which_snapshots_there_are_is_seen_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lab doctor` asks each machine, and is no reason for a password."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no sudo
    paths = Paths(tmp_path, tmp_path / "state", tmp_path / "cache", tmp_path / "config", tmp_path / "work")
    record.save(record.Record(MachineSpec("k3s-02-server", "server", "02"), "10.96.0.11", tmp_path), paths.machines / "k3s-02-server")
    for name in ("one", ".two.new"):
        (paths.machines / "k3s-02-server" / "snapshots" / name).mkdir(parents=True)
    provider = RemoteProvider(paths, Client(paths, Silent(), lambda question: True))
    assert [one.snapshots() for one in provider.list("02")] == [["one"]]


def test_locks_of_killed_machines_are_removed_and_held_ones_are_not(tmp_path: Path) -> None:
    held, killed, other = tmp_path / "inode-39:1", tmp_path / "inode-39:2", tmp_path / "name-mine"
    for path in (held, killed, other):
        path.touch()
    with held.open("r+") as lock:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # as systemd does
        remove_unheld(tmp_path)
        assert sorted(tmp_path.iterdir()) == [held, other]
    remove_unheld(tmp_path / "never made")


def test_a_folder_with_a_mount_below_it_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/precious").touch()
    mounts = f"9 1 0:1 / {str(folder).replace(' ', chr(92) + '040')}/inner rw - ext4 d rw\n"
    monkeypatch.setattr(Path, "read_text", lambda _: mounts)
    with pytest.raises(LabError, match="not removed"):
        disk.remove_tree(folder)
    assert (folder / "inner/precious").exists()


def test_student_gets_the_learners_number_on_a_new_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.chown", lambda *_, **__: None)
    (tmp_path / "image/etc").mkdir(parents=True)
    (tmp_path / "image/home/student/work").mkdir(parents=True)
    (tmp_path / "image/etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nstudent:x:1000:1000::/home/student:/bin/bash\n")
    (tmp_path / "image/etc/group").write_text("root:x:0:\nstudent:x:1000:\n")
    machine = disk.Disk(tmp_path / "m")
    machine.machine.mkdir()
    machine.make(tmp_path / "image", MachineSpec("m", "server", "02", student_uid=1234))
    etc = machine.current / "upper/etc"
    assert "student:x:1234:1234::/home/student:/bin/bash" in (etc / "passwd").read_text()
    assert (etc / "hostname").read_text() == "server\n"
    assert machine.made
