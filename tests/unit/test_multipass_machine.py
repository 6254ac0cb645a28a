"""The provider `multipass` over a Multipass in memory: what it asks for, how often, and what it makes of failures."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from courselab.errors import LabError, Unreachable, UsageError
from courselab.machines.base import MachineState, Mount
from courselab.machines.multipass import record, share
from courselab.machines.multipass.command import Command
from courselab.machines.multipass.failures import MultipassError, MultipassUnreachable
from courselab.machines.multipass.inside import Inside
from courselab.machines.multipass.provider import MultipassProvider, multipass_provider
from courselab.machines.multipass.system import Name, System
from courselab.machines.multipass.turns import Turns
from courselab.paths import Paths
from courselab.process import CommandMissing, CommandTimeout, Completed
from courselab.progress import Silent
from tests.unit.fake_multipass import Answer, FakeMultipass, done, hangs, provider, real_shell, spec

ERRORS = "launch failed: The following errors occurred:"


@pytest.fixture
def fake() -> FakeMultipass:
    return FakeMultipass()


def test_a_machine_costs_four_commands(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    assert fake.verbs() == ["list", "launch", "exec", "info"]
    assert (machine.address, machine.state) == ("10.38.112.21", MachineState.RUNNING)


def test_launch_pins_the_image_and_sends_cloud_init_by_standard_input(tmp_path: Path, fake: FakeMultipass) -> None:
    provider(tmp_path, fake).create(spec(cpus=2, memory_mib=2048, disk_gib=10))
    launch = fake.calls[1]
    assert launch[:2] == ("launch", "24.04")
    assert " ".join(launch[2:]) == "--name k3s-02-server --cpus 2 --memory 2048M --disk 10G --timeout 900 --cloud-init -"
    assert b"hostname: server" in fake.inputs[1] and b"ssh-ed25519 " in fake.inputs[1] and b"@" not in fake.inputs[1]
    assert (tmp_path / "state/multipass/key/ssh_key").stat().st_mode & 0o777 == 0o600


def test_an_equal_machine_is_returned_and_another_refused(tmp_path: Path, fake: FakeMultipass) -> None:
    machines = provider(tmp_path, fake)
    machines.create(spec())
    fake.calls.clear()
    machines.create(spec())
    assert "launch" not in fake.verbs()
    with pytest.raises(LabError, match="already is another machine") as told:
        machines.create(spec(memory_mib=4096))
    assert "`lab delete 02`" in told.value.fix


def test_a_half_made_machine_that_is_to_be_another_now_is_made_anew(tmp_path: Path, fake: FakeMultipass) -> None:
    fake.inside = lambda words, data: done(2, err="exec failed: Cannot retrieve credentials in unknown state")
    machines = provider(tmp_path, fake)
    with pytest.raises(Unreachable):
        machines.create(spec())
    fake.inside = FakeMultipass.inside
    assert machines.create(spec(memory_mib=4096)).spec.memory_mib == 4096
    assert [verb for verb in fake.verbs() if verb in ("launch", "delete")] == ["launch", "delete", "launch"]


@pytest.mark.parametrize("state", ["Running", "Deleted"])
def test_a_machine_of_somebody_else_is_never_touched(tmp_path: Path, fake: FakeMultipass, state: str) -> None:
    fake.states["k3s-02-server"] = state
    machines = provider(tmp_path, fake)
    with pytest.raises(MultipassError, match="already has a machine") as told:
        machines.create(spec())
    assert "multipass delete --purge k3s-02-server" in told.value.fix
    assert machines.list() == [] and machines.get("k3s-02-server") is None
    assert fake.states == {"k3s-02-server": state}


@pytest.mark.parametrize("name", ["primary", "1x", "a_b", "a.b", "-a", "a-", "A", "x" * 64, ""])
def test_names_that_multipass_or_kubernetes_refuse(tmp_path: Path, fake: FakeMultipass, name: str) -> None:
    with pytest.raises(UsageError):
        provider(tmp_path, fake).create(spec(name))
    assert fake.calls == []


def test_only_our_own_machines_are_deleted_each_by_name(tmp_path: Path, fake: FakeMultipass) -> None:
    fake.states["other"] = "Deleted"
    machines = provider(tmp_path, fake)
    machines.create(spec()).delete()
    assert fake.calls[-1] == ("delete", "--purge", "k3s-02-server")
    assert fake.states == {"other": "Deleted"} and machines.list() == []
    assert all(words[0] != "purge" for words in fake.calls)


def test_a_machine_that_another_command_deletes_meanwhile_is_not_listed(
    tmp_path: Path, fake: FakeMultipass, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = provider(tmp_path, fake)
    machines.create(spec())
    monkeypatch.setattr(record, "names", lambda folder: ["k3s-02-server", "k3s-03-server"])
    assert [machine.name for machine in machines.list("02")] == [machine.name for machine in machines.list()] == ["k3s-02-server"]


def test_deleting_what_is_gone_already_is_fine(tmp_path: Path, fake: FakeMultipass) -> None:
    machines = provider(tmp_path, fake)
    machine = machines.create(spec())
    fake.states.clear()
    machine.delete()
    assert machines.list() == []


# Launches that fail: standard error, exit code, the state it leaves, what is thrown ("" for one that recovers)
@pytest.mark.parametrize(
    ("code", "text", "left", "kind"),
    [
        (2, f"{ERRORS}\nx: timed out waiting for response", "Unknown", "no-answer"),
        (2, f"{ERRORS}\nx: timed out waiting for response", "Running", ""),  # Hyper-V
        (2, f"{ERRORS}\nx: timed out waiting for initialization to complete", "Running", ""),
        (5, "Timed out waiting for instance launch.", "Running", ""),
        (5, "Timed out waiting for instance launch.", "Unknown", "slow"),
        (5, "Timed out waiting for instance launch.", "Starting", "slow"),
        (2, "launch failed: x: shutdown called while starting", "Stopped", "died"),
        (2, "launch failed: Available disk (1 bytes) below minimum for this image (2 bytes)", None, "disk-full"),
        (2, "launch failed: cannot connect to the multipass socket", None, "daemon"),
    ],
)
def test_a_launch_that_failed_is_continued_or_purged(
    tmp_path: Path, fake: FakeMultipass, code: int, text: str, left: str | None, kind: str
) -> None:
    def fails(words: tuple[str, ...], data: bytes) -> object:
        if left:
            fake.states["k3s-02-server"] = left
        return done(code, err=text)

    fake.on["launch"] = [fails]  # type: ignore[list-item]
    machines = provider(tmp_path, fake)
    if not kind:
        assert machines.create(spec()).state is MachineState.RUNNING
        return
    with pytest.raises((MultipassError, MultipassUnreachable)) as told:
        machines.create(spec())
    assert told.value.kind == kind
    assert fake.states == {} and machines.list() == []


def test_a_launch_whose_client_gave_up_comes_up_later(tmp_path: Path, fake: FakeMultipass) -> None:
    def gives_up(words: tuple[str, ...], data: bytes) -> object:
        return done(5, err="Timed out waiting for instance launch.")  # the image is still being fetched: nothing to be seen yet

    def appears(words: tuple[str, ...], data: bytes) -> None:
        fake.states["k3s-02-server"] = "Starting"

    def runs(words: tuple[str, ...], data: bytes) -> None:
        fake.states["k3s-02-server"] = "Running"

    nothing = [lambda words, data: None] * 2
    fake.on = {"launch": [gives_up], "list": [*nothing, appears, runs]}  # type: ignore[list-item]
    assert provider(tmp_path, fake).create(spec()).state is MachineState.RUNNING


@pytest.mark.parametrize("gives_up", [lambda words, data: done(5, err="Timed out waiting for instance launch."), hangs])
def test_a_machine_whose_image_takes_very_long_is_still_ours_when_it_appears(tmp_path: Path, fake: FakeMultipass, gives_up: Answer) -> None:
    fake.on["launch"] = [gives_up]
    machines = provider(tmp_path, fake)
    with pytest.raises((MultipassError, MultipassUnreachable)):
        machines.create(spec())
    fake.states["k3s-02-server"] = "Running"  # the download came to its end
    machines.host.glance.forget()
    assert machines.create(spec()).state is MachineState.RUNNING
    assert fake.verbs().count("launch") == 1


def test_a_launch_that_hangs_leaves_a_machine_that_can_be_deleted(tmp_path: Path, fake: FakeMultipass) -> None:
    fake.on = {"launch": [hangs], "list": [lambda words, data: None, hangs, hangs]}
    machines = provider(tmp_path, fake)
    with pytest.raises(MultipassUnreachable) as told:
        machines.create(spec())
    assert "snap restart" in told.value.fix
    (half,) = machines.list("02")
    half.delete()
    assert machines.list() == []


def test_start_finishes_what_was_interrupted(tmp_path: Path, fake: FakeMultipass) -> None:
    fake.inside = lambda words, data: done(2, err="exec failed: Cannot retrieve credentials in unknown state")
    machines = provider(tmp_path, fake)
    with pytest.raises(Unreachable):
        machines.create(spec())
    fake.inside = FakeMultipass.inside
    (half,) = machines.list()
    assert half.state is MachineState.BROKEN
    assert machines.create(spec()).state is MachineState.RUNNING
    assert fake.verbs().count("launch") == 1


def test_a_machine_that_is_shutting_down_is_stopped_and_started(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    assert machine.start() is False
    fake.system = "stopping"
    fake.calls.clear()
    assert machine.start() is True
    assert [verb for verb in fake.verbs() if verb in ("stop", "start")] == ["stop", "start"]


def test_without_an_address_that_can_be_reached_there_is_no_machine(tmp_path: Path, fake: FakeMultipass) -> None:
    fake.address = "10.42.0.1"
    with pytest.raises(MultipassError, match="no address") as told:
        provider(tmp_path, fake, System("macos")).create(spec())
    assert "local.driver" in told.value.fix


def test_an_address_may_come_late_and_from_list_when_info_fails(tmp_path: Path, fake: FakeMultipass) -> None:
    late = done(out='{"errors":[],"info":{"k3s-02-server":{"state":"Running","ipv4":["N/A"]}}}')
    fake.on["info"] = [lambda words, data: late, lambda words, data: done(2, err="info failed: ssh connection failed: 'No route'")]
    machine = provider(tmp_path, fake).create(spec())
    assert machine.address == "10.38.112.21"


def test_half_an_answer_is_asked_for_again(tmp_path: Path, fake: FakeMultipass) -> None:
    fake.on["list"] = [lambda words, data: done(out='{"list":[{"na')]
    assert provider(tmp_path, fake).available().usable
    fake.on["list"] = [lambda words, data: done(out='{"list":[{"na')] * 2
    assert not provider(tmp_path, fake).available().usable


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (done(out='{"multipass":"1.16.3"}'), "does not answer"),
        (done(out='{"multipass":"1.12.2","multipassd":"1.12.2"}'), "too old"),
        (done(1, err="boom"), "boom"),
    ],
)
def test_availability_says_what_is_missing(tmp_path: Path, fake: FakeMultipass, answer: object, why: str) -> None:
    fake.on["version"] = [lambda words, data: answer]  # type: ignore[list-item,return-value]
    seen = provider(tmp_path, fake).available()
    assert not seen.usable and why in seen.why and seen.fix


def test_availability_without_multipass_and_without_permission(tmp_path: Path, fake: FakeMultipass) -> None:
    def missing(words: tuple[str, ...], data: bytes) -> None:
        raise CommandMissing("no", why="no", fix="no")

    fake.on["version"] = [missing]
    assert "winget" in provider(tmp_path, fake, System("windows")).available().fix
    fake.on["list"] = [lambda words, data: done(2, err="list failed: The client is not authenticated with the Multipass service.")]
    assert "multipass authenticate" in provider(tmp_path, fake).available().fix


def test_a_program_s_end_is_told_from_multipass_s_own(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    fake.inside = real_shell(tmp_path)
    ran = machine.run(
        ["sh", "-c", 'cat; printf "%s|" "$@"; echo bad >&2; exit 2', "sh", "a b", "$HOME", "x'y\"z", "", "ü\n"], input=b"in:", timeout_s=9
    )
    assert (ran.code, ran.stdout, ran.stderr) == (2, "in:a b|$HOME|x'y\"z||ü\n|".encode(), b"bad\n")
    fake.inside = lambda words, data: done(2, err="exec failed: ssh connection failed: 'Connection reset'")
    with pytest.raises(Unreachable):
        machine.run(["true"], timeout_s=9)
    fake.inside = hangs
    with pytest.raises(CommandTimeout, match=r"`true` did not end within 9 s on k3s-02-server"):
        machine.run(["true"], timeout_s=9)


def test_exec_is_never_asked_for_a_machine_that_does_not_run(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    machine.stop()
    fake.calls.clear()
    with pytest.raises(Unreachable) as told:
        machine.run(["true"], timeout_s=9)
    assert "exec" not in fake.verbs() and told.value.fix
    with pytest.raises(Unreachable):
        machine.shell_argv()


def test_commands_run_as_who_they_should_without_the_host_s_folder(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    machine.run(["id"], timeout_s=9, user="student")
    words = fake.calls[-1]
    assert words[:4] == ("exec", "-n", "k3s-02-server", "--")
    assert words[4:9] == ("sudo", "-n", "-u", "student", "--") and "HOME=/home/student" in words
    assert machine.shell_argv(["ls"])[:6] == ["multipass", "exec", "-n", "k3s-02-server", "--", "sudo"]
    with pytest.raises(UsageError):
        machine.run(["id"], timeout_s=9, user="root -s")


def test_many_commands_ask_only_once_whether_it_runs(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    fake.calls.clear()
    for _ in range(20):
        machine.run(["true"], timeout_s=9)
    assert fake.verbs().count("list") <= 1


def test_states(tmp_path: Path, fake: FakeMultipass) -> None:
    machines = provider(tmp_path, fake)
    machine = machines.create(spec())
    for said, state in (("Stopped", MachineState.STOPPED), ("Unknown", MachineState.UNKNOWN), ("Dozing", MachineState.UNKNOWN)):
        fake.states["k3s-02-server"] = said
        machines.host.glance.forget()
        assert machine.state is state
    fake.states.clear()
    machines.host.glance.forget()
    assert machine.state is MachineState.BROKEN


def test_stop_that_hangs_is_forced(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    fake.on["stop"] = [hangs]
    machine.stop()
    assert fake.calls[-1] == ("stop", "--force", "k3s-02-server")


def test_snapshots_are_named_and_destructive_on_purpose(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    machine.stop()
    machine.snapshot("fresh")
    assert fake.calls[-1] == ("snapshot", "k3s-02-server", "--name", "fresh")
    machine.restore("fresh")
    assert fake.calls[-1] == ("restore", "k3s-02-server.fresh", "--destructive")
    kept = done(out='{"errors":[],"info":{"k3s-02-server":{"fresh":{"parent":"","comment":""}}}}')
    fake.on["list"] = [lambda words, data: kept]
    machine.delete_snapshot("fresh")
    assert fake.calls[-1] == ("delete", "k3s-02-server.fresh", "--purge")


def test_large_files_go_by_transfer_and_small_ones_by_exec(tmp_path: Path, fake: FakeMultipass) -> None:
    machine = provider(tmp_path, fake).create(spec())
    source = tmp_path / "k3s"
    source.write_bytes(b"\x7fELF" * 1000)
    fake.calls.clear()
    fake.inputs.clear()
    machine.put_file("/usr/local/bin/k3s", source, mode=0o755)
    assert [words[0] for words in fake.calls if words[0] != "list"] == ["transfer", "exec"]
    transfer = next(words for words in fake.calls if words[0] == "transfer")
    assert transfer[1] == "-" and transfer[2].startswith("k3s-02-server:/tmp/courselab-put-")
    assert source.read_bytes() in fake.inputs


def test_the_learner_s_files_outlive_the_machine(tmp_path: Path, fake: FakeMultipass) -> None:
    work, there = tmp_path / "work", tmp_path / "there"
    work.mkdir()
    (work / "mine.yaml").write_text("a: 1\n")
    (tmp_path / "shims").mkdir()
    fake.inside = real_shell(tmp_path / "shims")
    machines = provider(tmp_path, fake)
    fake.on["exec"] = [lambda words, data: done(err="\ncourselab-ended 0\n")]  # the set-up script is not for this computer
    machine = machines.create(spec(mounts=(Mount(work, str(there), writable=True),)))
    assert (there / "mine.yaml").read_text() == "a: 1\n"
    (there / "from inside.txt").write_text("new\n")
    (there / "mine.yaml").write_text("a: 2\n")
    later = time.time() + 100
    os.utime(there / "mine.yaml", (later, later))
    (there / "link").symlink_to("/etc/passwd")
    machine.delete()
    assert (work / "from inside.txt").read_text() == "new\n"
    assert (work / "mine.yaml").read_text() == "a: 2\n"
    assert not (work / "link").exists()


@pytest.mark.parametrize("opened", [False, True], ids=["never opened", "with a shell open"])
def test_a_machine_switched_off_with_files_in_it_is_started_once_more_to_save_them(
    tmp_path: Path, fake: FakeMultipass, opened: bool
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    machines = provider(tmp_path, fake)
    machine = machines.create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.inside = lambda words, data: done(out="\0" * 10240, err="\ncourselab-ended 0\n")  # a tar without files
    if opened:
        machine.shell_argv()
    fake.states["k3s-02-server"] = "Stopped"  # the computer was switched off
    machines.host.glance.forget()
    fake.calls.clear()
    machine.delete()
    assert fake.verbs().index("start") < fake.verbs().index("delete")


def test_a_machine_that_stopped_with_its_files_saved_is_not_started_to_be_deleted(tmp_path: Path, fake: FakeMultipass) -> None:
    work = tmp_path / "work"
    work.mkdir()
    machine = provider(tmp_path, fake).create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.inside = lambda words, data: done(out="\0" * 10240, err="\ncourselab-ended 0\n")
    machine.stop()
    fake.calls.clear()
    machine.delete()
    assert "start" not in fake.verbs()


def test_a_learner_who_removed_the_folder_in_the_machine_can_still_delete_it(tmp_path: Path, fake: FakeMultipass) -> None:
    work, there = tmp_path / "work", tmp_path / "there"
    work.mkdir()
    (work / "mine.yaml").write_text("a: 1\n")
    machines = provider(tmp_path, fake)
    machine = machines.create(spec(mounts=(Mount(work, str(there), writable=True),)))
    fake.inside = real_shell(tmp_path)
    assert not there.exists()
    machine.delete()
    assert machines.list() == [] and (work / "mine.yaml").read_text() == "a: 1\n"


def test_files_that_only_root_may_read_in_the_machine_come_back_too(tmp_path: Path, fake: FakeMultipass) -> None:
    work = tmp_path / "work"
    work.mkdir()
    machine = provider(tmp_path, fake).create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.inside = lambda words, data: done(out="\0" * 10240, err="\ncourselab-ended 0\n")
    machine.stop()
    packing = next(words for words in fake.calls if words[0] == "exec" and any("tar -cf" in word for word in words))
    assert packing[packing.index("-u") + 1] == "root", "`sudo cp /etc/rancher/k3s/k3s.yaml ~/work` makes one"


def test_a_delete_that_refuses_to_lose_files_says_how_to_give_them_up(tmp_path: Path, fake: FakeMultipass) -> None:
    work = tmp_path / "work"
    work.mkdir()
    machines = provider(tmp_path, fake)
    machine = machines.create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.states["k3s-02-server"] = "Stopped"
    machines.host.glance.forget()
    fake.on["start"] = [lambda words, data: done(2, err="start failed: x: shutdown called while starting")]
    with pytest.raises(LabError) as told:
        machine.delete()
    assert "multipass delete --purge k3s-02-server" in told.value.fix and machines.list()
    fake.states.clear()
    machine.delete()
    assert machines.list() == []


@dataclass
class Listening(Silent):
    said: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.said.append(line)


@pytest.mark.parametrize("state", ["Unknown", "Deleted"])
def test_files_that_cannot_be_saved_before_a_delete_are_not_lost_in_silence(tmp_path: Path, fake: FakeMultipass, state: str) -> None:
    work, shown = tmp_path / "work", Listening()
    work.mkdir()
    machines = MultipassProvider(replace(provider(tmp_path, fake).host, progress=shown))
    machine = machines.create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.states["k3s-02-server"] = state
    machines.host.glance.forget()
    machine.delete()
    assert "k3s-02-server may be lost" in " ".join(shown.said) and machines.list() == []


def test_a_delete_while_multipass_still_fetches_the_image_says_what_may_appear(tmp_path: Path, fake: FakeMultipass) -> None:
    def interrupted(words: tuple[str, ...], data: bytes) -> None:
        raise KeyboardInterrupt

    shown = Listening()
    machines = MultipassProvider(replace(provider(tmp_path, fake).host, progress=shown))
    fake.on["launch"] = [interrupted]
    with pytest.raises(KeyboardInterrupt):
        machines.create(spec())
    (half,) = machines.list("02")
    half.delete()
    assert machines.list() == [] and "`multipass delete --purge k3s-02-server`" in " ".join(shown.said)


def packed(*names: str) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 4, 1_900_000_000
            tar.addfile(info, io.BytesIO(b"data"))
    return whole.getvalue()


ODD = ("./backup-13:14:20.yaml", "./what?.txt", "./a/con", "./../out", "./plain.yaml")


@pytest.mark.parametrize("system", ["linux", "macos"])
def test_files_come_back_under_every_name_that_this_host_can_have(tmp_path: Path, fake: FakeMultipass, system: Name) -> None:
    work = tmp_path / "work"
    work.mkdir()
    machine = provider(tmp_path, fake, System(system)).create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.inside = lambda words, data: Completed(words, 0, packed(*ODD), b"\ncourselab-ended 0\n")
    machine.delete()
    found = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())
    assert found == ["a/con", "backup-13:14:20.yaml", "plain.yaml", "what?.txt"]
    assert not (tmp_path / "out").exists()


def test_names_that_windows_cannot_have_are_said_and_not_lost(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    inside = Inside(Command(System("windows")), "k3s-02-server")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(LabError) as told:
        patch.setattr(Inside, "run", lambda *_, **__: done(out=packed(*ODD).decode("latin-1")))
        share.pull(inside, Mount(work, "/home/student/work", writable=True))
    assert "backup-13:14:20.yaml, what?.txt, a/con" in told.value.why and "Rename them" in told.value.fix
    assert [path.name for path in work.rglob("*")] == ["plain.yaml"]


def test_a_file_that_the_learner_may_not_read_is_named(tmp_path: Path, fake: FakeMultipass, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "of-root.yaml").write_text("a: 1\n")
    open_file = Path.open

    def refusing(path: Path, *words: Any, **more: Any) -> Any:
        if path.name == "of-root.yaml":
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, *words, **more)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(LabError, match="could not be copied") as told:
        provider(tmp_path, fake).create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    assert "of-root.yaml" in told.value.why and str(work) in told.value.fix


@pytest.mark.parametrize("large", [False, True])
def test_folders_that_are_made_for_a_file_belong_to_its_owner(tmp_path: Path, fake: FakeMultipass, large: bool) -> None:
    """kubectl locks ~/.kube/config by a file beside it."""
    machine = provider(tmp_path, fake).create(spec())
    fake.inside = real_shell(tmp_path)
    owned = tmp_path / "owned"
    (tmp_path / "chown").write_text(f'#!/bin/sh\necho "$@" >> {owned}\n')
    (tmp_path / "chown").chmod(0o755)
    target = tmp_path / "home" / ".kube" / "config"
    if large:
        sent: list[Path] = []

        def transfer(words: tuple[str, ...], data: bytes) -> object:
            sent.append(Path(words[2].partition(":")[2]))
            sent[0].write_bytes(data)
            return done()

        fake.on["transfer"] = [transfer]  # type: ignore[list-item]
        (tmp_path / "source").write_bytes(b"data")
        machine.put_file(str(target), tmp_path / "source", owner="student")
    else:
        machine.put(str(target), b"data", mode=0o600, owner="student")
    assert target.read_bytes() == b"data"
    assert f"-R -- student: {tmp_path / 'home'}\n" in owned.read_text()


def test_files_are_copied_in_again_only_when_they_changed(tmp_path: Path, fake: FakeMultipass) -> None:
    work = tmp_path / "work"
    work.mkdir()
    machine = provider(tmp_path, fake).create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.calls.clear()
    machine.shell_argv(["kubectl", "get", "pods"])
    assert "exec" not in fake.verbs()
    (work / "new.yaml").write_text("a: 1\n")
    machine.shell_argv(["kubectl", "apply", "-f", "work/new.yaml"])
    assert fake.verbs().count("exec") == 1


def test_files_that_are_too_large_keep_nobody_from_a_shell_or_from_stopping(tmp_path: Path, fake: FakeMultipass) -> None:
    work = tmp_path / "work"
    work.mkdir()
    machine = provider(tmp_path, fake).create(spec(mounts=(Mount(work, "/home/student/work", writable=True),)))
    fake.inside = lambda words, data: done(1, err="the files have 99999999 bytes\n\ncourselab-ended 1\n")
    assert machine.shell_argv()[:2] == ["multipass", "exec"]
    with pytest.raises(LabError, match="could not be copied"):
        machine.delete()
    machine.stop()
    assert fake.states == {"k3s-02-server": "Stopped"}


def test_the_first_launch_is_alone_and_then_at_most_three_are() -> None:
    turns, lock, running, most, order = Turns(), threading.Lock(), [0], [0], []
    all_in = threading.Semaphore(0)

    def launch(number: int) -> None:
        with turns.launch():
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
                order.append(running[0])
            all_in.acquire(timeout=0.05)
            with lock:
                running[0] -= 1

    threads = [threading.Thread(target=launch, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert order[:2] == [1, 1] and most[0] <= 3


def test_a_failed_first_launch_lets_the_next_one_be_the_first() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="no"), turns.launch():
        raise ValueError("no")
    with turns.launch():
        pass


def test_labs_that_are_started_at_once_take_turns(tmp_path: Path) -> None:
    one, other = (
        multipass_provider(Paths(folder, folder, folder, folder, folder), Silent()) for folder in (tmp_path / "one", tmp_path / "other")
    )
    assert one.host.turns is other.host.turns
    assert one.host.folder != other.host.folder
