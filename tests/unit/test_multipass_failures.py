"""Every failure of Multipass that the course knows becomes an error with a reason and a remedy that fits the computer."""

from __future__ import annotations

import pytest

from courselab.errors import Unreachable
from courselab.machines.multipass.failures import FAILURES, explain, last_line
from courselab.machines.multipass.system import System
from courselab.process import Completed

ERRORS = "The following errors occurred:"
INVALID = "launch failed: Invalid arguments supplied"
# exit code, standard error, which failure it is
CONTRACT = [
    (1, "[error] [client] Caught an unhandled exception: 4Q is not a valid memory size", "memory"),
    (2, f"{INVALID}\nInvalid memory size value supplied: 64M.", "memory"),
    (2, f"{INVALID}\nInvalid disk size value supplied: 64M.", "disk-size"),
    (2, f"{INVALID}\nInvalid instance name supplied: 1x", "name"),
    (2, 'launch failed: instance "x" already exists', "taken"),
    (2, 'launch failed: instance "x" is being prepared', "preparing"),
    (2, 'launch failed: Unable to find an image matching "x" in remote "".', "image"),
    (2, "launch failed: Remote 'x' is not found. Please use `multipass find`", "image"),
    (2, 'launch failed: Remote "" is unknown or unreachable. If image mirror is enabled, please confirm it is valid.', "manifests"),
    (2, "launch failed: failed to download from 'https://cloud-images': Operation canceled", "download"),
    (2, "launch failed: Hash of f.img does not match 1d2c", "download"),
    (2, f"{INVALID}\nInvalid network options supplied", "network-option"),
    (2, "launch failed: Missing bridges", "network-option"),
    (2, "launch failed: Requested disk (1 bytes) below minimum for this image (2 bytes)", "disk-image"),
    (2, "launch failed: Available disk (1 bytes) below minimum for this image (2 bytes)", "disk-full"),
    (2, "launch failed: cannot write: No space left on device", "disk-full"),
    (2, "launch failed: qemu-system-x86_64: cannot set up guest memory\nx: shutdown called while starting", "died"),
    (2, f"launch failed: {ERRORS}\nx: timed out waiting for response", "no-answer"),
    (2, f"launch failed: {ERRORS}\nx: timed out waiting for initialization to complete", "cloud-init"),
    (5, "Timed out waiting for instance launch.", "slow"),
    (2, "list failed: cannot connect to the multipass socket", "daemon"),
    (2, "list failed: multipass socket access denied", "access"),
    (
        2,
        "list failed: The client is not authenticated with the Multipass service.\nPlease use 'multipass authenticate' before proceeding.",
        "authenticate",
    ),
    (2, f'exec failed: {ERRORS}\ninstance "x" does not exist', "gone"),
    (2, f'exec failed: {ERRORS}\ninstance "x" is deleted', "deleted"),
    (2, "start failed: instance(s) missing\nInstance 'x' does not exist.", "gone"),
    (2, f"stop failed: {ERRORS}\nCannot shut down instance x while starting.\nUse --force to power it off.", "starting"),
    (2, "exec failed: Cannot retrieve credentials in unknown state", "unknown-state"),
    (2, "exec failed: ssh connection failed: 'No route to host'", "no-route"),
    (2, 'transfer failed: instance "x" is not running', "not-running"),
    (2, "transfer failed: [sftp] remote target does not exist", "transfer"),
    (2, "transfer failed: [sftp] omitting local directory /x: recursive mode not specified", "transfer"),
    (2, "snapshot failed: Multipass can only take snapshots of stopped instances.", "not-stopped"),
    (2, "restore failed: Multipass can only restore snapshots of stopped instances.", "not-stopped"),
    (2, "clone failed: Multipass can only clone stopped instances.", "not-stopped"),
    (2, "snapshot failed: Snapshot already exists: vm.s", "snapshot-taken"),
    (2, 'snapshot failed: Invalid snapshot name: "1".', "snapshot-name"),
    (2, "restore failed: No such snapshot: vm.s", "no-snapshot"),
    (1, "restore failed: Unable to query client for confirmation. Use --destructive.", "confirmation"),
    (2, "snapshot failed: The snapshots feature is not implemented on this backend.", "unsupported"),
    (2, "launch failed: Could not find the default switch", "default-switch"),
    (2, "launch failed: KVM support is not enabled on this machine.", "virtualisation"),
    (1, "Unknown option 'cloud-init'.", "usage"),
]


@pytest.mark.parametrize("system", [System("linux", snap=True), System("macos"), System("windows")], ids=lambda system: system.name)
@pytest.mark.parametrize(("code", "text", "kind"), CONTRACT, ids=lambda value: value if isinstance(value, str) else None)
def test_every_failure_has_a_reason_and_a_remedy(code: int, text: str, kind: str, system: System) -> None:
    error = explain(Completed(("multipass",), code, b"", text.encode()), "x could not be made", "x", system)
    assert (error.kind, error.what) == (kind, "x could not be made")
    assert error.why and error.fix and "\n" not in error.why + error.fix
    assert "{" not in error.why + error.fix
    if system.name == "windows":
        assert "sudo" not in error.fix.replace("`sudo multipass set local.passphrase` (on Windows without sudo)", "")
    if system.name == "macos":
        assert "snap " not in error.fix and "iptables" not in error.fix


def test_every_failure_that_is_known_is_tried_here() -> None:
    assert {row.kind for row in FAILURES} == {kind for _, _, kind in CONTRACT}


@pytest.mark.parametrize(
    ("kind", "system", "remedy"),
    [
        ("no-answer", System("linux"), "DOCKER-USER"),
        ("no-answer", System("macos"), "socketfilterfw"),
        ("no-answer", System("macos"), "Local Network"),
        ("no-answer", System("macos"), "dhcpd_leases"),
        ("no-answer", System("windows"), "hosts.ics"),
        ("daemon", System("linux", snap=True), "snap restart multipass"),
        ("daemon", System("macos"), "launchctl kickstart"),
        ("daemon", System("windows"), "Restart-Service"),
        ("manifests", System("linux"), "find --force-update"),
        ("authenticate", System("linux"), "multipass authenticate"),
        ("unknown-state", System("linux"), "snap refresh --hold"),
        ("taken", System("linux"), "multipass delete --purge x"),
        ("deleted", System("linux"), "multipass recover x"),
    ],
)
def test_the_remedy_is_the_one_for_this_computer(kind: str, system: System, remedy: str) -> None:
    code, text, _ = next(row for row in CONTRACT if row[2] == kind)
    assert remedy in explain(Completed(("multipass",), code, b"", text.encode()), "w", "x", system).fix


@pytest.mark.parametrize("kind", ["daemon", "gone", "unknown-state", "not-running", "no-route"])
def test_what_does_not_answer_ends_with_exit_code_3(kind: str) -> None:
    code, text, _ = next(row for row in CONTRACT if row[2] == kind)
    assert isinstance(explain(Completed(("multipass",), code, b"", text.encode()), "w", "x", System("linux")), Unreachable)


def test_what_is_not_known_is_shown_as_it_was_said() -> None:
    error = explain(Completed(("multipass",), 2, b"", b"start failed: \x1b[31msomething\x07 new\x1b[0m\n\n"), "w", "x", System("linux"))
    assert (error.kind, error.why) == ("", "Multipass says: start failed: something new")
    silent = explain(Completed(("multipass",), 255, b"", b""), "w", "x", System("linux"))
    assert silent.why == "Multipass says: it ended with code 255 and said nothing"
    assert len(last_line("y" * 10_000)) == 300
