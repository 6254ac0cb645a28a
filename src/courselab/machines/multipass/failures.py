"""What Multipass says when something fails, and what that means for a learner: one row per failure, with the remedy for their computer.

The texts are those of Multipass 1.16 (src/client/cli, src/daemon), the remedies those of its maintainers and its troubleshooting pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from courselab.errors import LabError, Unreachable
from courselab.machines.multipass.system import System
from courselab.process import Completed


class MultipassError(LabError):
    """A `multipass` command failed. `kind` names which way, "" for one that is not known."""

    kind = ""
    may_appear = False  # of a launch: Multipass may still make the machine


class MultipassUnreachable(Unreachable):
    """Multipass's service, or one of its machines, does not answer."""

    kind = ""
    may_appear = False


@dataclass(frozen=True)
class Failure:
    """One way in which Multipass fails. `why` and `fix` may use {name}, {restart} and {said}; `fix` may differ by system."""

    kind: str
    pattern: str  # searched in standard error, any case
    why: str
    fix: str | Mapping[str, str]
    unreachable: bool = False


_NETWORK = {
    "linux": (
        "A firewall, Docker or a VPN may be in the way. With Docker: `sudo iptables -I DOCKER-USER -i mpqemubr0 -j ACCEPT` and the same "
        "with `-o`. Then run the command again."
    ),
    "macos": (
        "Let macOS's firewall pass its own DHCP server: `sudo /usr/libexec/ApplicationFirewall/socketfilterfw --add /usr/libexec/bootpd`, "
        "then the same with --unblock; allow your terminal in Settings > Privacy & Security > Local Network; switch a VPN off. "
        "Old entries in /var/db/dhcpd_leases can be the cause too: restart this Mac. Then run the command again."
    ),
    "windows": (
        "Switch a VPN off, and check that Hyper-V's Default Switch is there; if so, delete C:\\Windows\\System32\\drivers\\etc\\hosts.ics "
        "and restart the computer. Then run the command again."
    ),
}
_TOO_NEW = "Multipass and this course do not fit together: update both, and report it if it stays."

FAILURES: tuple[Failure, ...] = (
    # The service
    Failure(
        "daemon", r"cannot connect to the multipass socket", "Its service does not run, or does not answer.", "{restart}", unreachable=True
    ),
    Failure(
        "access",
        r"multipass socket access denied",
        "Your account may not use Multipass.",
        {
            "linux": "Join the group that may, and log in again: `sudo usermod -aG sudo $USER`; or ask who administers this computer.",
            "macos": "Use an account that may administer this Mac (group admin).",
            "windows": "Use an account that may administer this computer.",
        },
    ),
    Failure(
        "authenticate",
        r"not authenticated with the Multipass service",
        "This account was not yet let in.",
        "Ask who used Multipass first here to run `sudo multipass set local.passphrase` (on Windows without sudo), then run "
        "`multipass authenticate` yourself.",
    ),
    # Launch: what was asked for
    Failure(
        "memory",
        r"Invalid memory size value supplied|is not a valid memory size",
        "{said}",
        "Give the machine at least 512 MiB in lab.yaml.",
    ),
    Failure("disk-size", r"Invalid disk size value supplied", "{said}", "Give the machine at least 1 GiB of disk in lab.yaml."),
    Failure("name", r"Invalid instance name supplied", "{said}", "Rename the machine in lab.yaml: letters, digits and dashes."),
    Failure(
        "taken",
        r'instance "[^"]*" already exists',
        "Another virtual machine, perhaps a deleted one, has this name, and the course did not make it.",
        "`multipass list` shows it. If you do not need it: `multipass delete --purge {name}`; then run the command again.",
    ),
    Failure(
        "preparing",
        r'instance "[^"]*" is being prepared',
        "An earlier start of it still goes on in the background.",
        "Wait a few minutes, then run the command again. If it stays so: {restart}",
    ),
    # Launch: the image
    Failure(
        "image",
        r"Unable to find an image matching|Remote '[^']*' is not found",
        "Multipass does not know the Ubuntu image that the course uses.",
        "`multipass find --force-update`, then run the command again; update Multipass if it stays so.",
    ),
    Failure(
        "manifests",
        r"is unknown or unreachable",
        "Multipass could not fetch its list of images, as happens right after the computer has started.",
        {
            "linux": "Check the internet connection; then `multipass find --force-update`, `{restart}`, and the command again.",
            "macos": "Check the internet connection; then `multipass find --force-update`, and the command again.",
            "windows": "Check the internet connection; then `multipass find --force-update`, and the command again.",
        },
    ),
    Failure(
        "download",
        r"failed to download from|Hash of .* does not match",
        "{said}",
        "Check the internet connection and a proxy or VPN, then run the command again.",
    ),
    # Launch: the host
    Failure(
        "network-option", r"Invalid network options supplied|Missing bridges", "{said}", "`multipass networks` lists what can be used."
    ),
    Failure(
        "default-switch",
        r"Could not find the default switch",
        "Hyper-V's own Default Switch is missing.",
        "Switch Hyper-V off and on again in Windows features, restart the computer, then run the command again.",
    ),
    Failure("disk-image", r"Requested disk .* below minimum", "{said}", "Give the machine a larger disk in lab.yaml."),
    Failure(
        "disk-full",
        r"Available disk .* below minimum|No space left on device|not enough (disk )?space",
        "This computer's disk is full: {said}",
        "Free some space (`lab doctor` says how much is needed), then run the command again. If machines are lost, restart the computer.",
    ),
    Failure(
        "died",
        r"shutdown called while starting",
        "Its virtual machine ended while it started: most often this computer has too little free memory, or the image is damaged.",
        "Close other programs or stop other labs (`lab stop`), then run the command again.",
    ),
    Failure(
        "virtualisation",
        r"\bKVM\b|CPU virtuali[sz]ation|Hyper-V is not (enabled|installed)|virtuali[sz]ation (is )?(not|disabled)",
        "{said}",
        {
            "linux": "Enable virtualisation in the computer's firmware settings; `lab start --on local` needs none.",
            "macos": "Update macOS and Multipass.",
            "windows": "Enable virtualisation in the firmware settings, and Hyper-V in Windows features; restart the computer.",
        },
    ),
    # Launch: waiting
    Failure("no-answer", r"timed out waiting for response", "It started, but could not be reached over the network.", _NETWORK),
    Failure(
        "cloud-init",
        r"timed out waiting for initialization to complete",
        "It runs, but was not set up in time.",
        "Run the command again: it goes on where it stopped.",
    ),
    Failure(
        "slow",
        r"Timed out waiting for instance launch",
        "It was not up in time; a slow download is the most common cause.",
        "Run the command again: it goes on where it stopped.",
    ),
    # Existing machines
    Failure(
        "deleted",
        r'instance "[^"]*" is deleted',
        "It was deleted with `multipass delete`.",
        "`multipass recover {name}` brings it back; or `lab reset` makes the lab anew.",
    ),
    Failure(
        "gone",
        r'instance "[^"]*" does not exist|Instance \'[^\']*\' does not exist|instance\(s\) missing',
        "The virtual machine is gone.",
        "`lab reset` makes the lab anew; your files in work/ stay.",
        unreachable=True,
    ),
    Failure(
        "starting",
        r"Cannot shut down instance .* while starting",
        "It is still starting.",
        "Wait until it runs, then run the command again; `lab delete` works in any case.",
    ),
    Failure(
        "unknown-state",
        r"Cannot retrieve credentials in unknown state",
        "Multipass lost contact with it.",
        {
            "linux": (
                "`multipass stop --force {name}`, then `lab start`. Updates of the snap do this too: `sudo snap refresh --hold multipass` "
                "keeps them off."
            ),
            "macos": "`multipass stop --force {name}`, then `lab start`.",
            "windows": "`multipass stop --force {name}`, then `lab start`.",
        },
        unreachable=True,
    ),
    Failure("not-running", r'instance "[^"]*" is not running', "It is not running.", "Run `lab resume`.", unreachable=True),
    Failure(
        "no-route",
        r"No route to host|ssh connection failed|failed to connect",
        "It cannot be reached over the network.",
        _NETWORK,
        unreachable=True,
    ),
    # Files
    Failure(
        "transfer",
        r"\[sftp\]|omitting local directory|recursive mode not specified",
        "{said}",
        "Run the command again; `lab doctor` helps.",
    ),
    # Snapshots and clones
    Failure(
        "not-stopped",
        r"of stopped instances|only clone stopped instances",
        "Multipass does that with stopped machines only.",
        "Run `lab resume`, then `lab stop`, then the command again: it may be suspended.",
    ),
    Failure("snapshot-taken", r"Snapshot already exists", "{said}", "Use another name, or delete that snapshot first."),
    Failure("snapshot-name", r"Invalid snapshot name", "{said}", "Use letters, digits and dashes."),
    Failure("no-snapshot", r"No such snapshot", "{said}", "Take one first."),
    Failure("confirmation", r"Unable to query client for confirmation", "Multipass asked a question that nobody could answer.", _TOO_NEW),
    Failure(
        "unsupported",
        r"snapshots feature is not implemented",
        "Multipass's driver here has no snapshots.",
        "`lab reset` makes the lab anew instead; `multipass get local.driver` shows the driver.",
    ),
    # Multipass itself
    Failure("usage", r"Unknown option|Caught an unhandled exception", "{said}", _TOO_NEW),
)


def explain(done: Completed, what: str, name: str, system: System) -> MultipassError | MultipassUnreachable:
    """The error that a failed `multipass` command means. `what` is the sentence about it, `name` the machine it was about."""
    text = done.error_text
    failure = next((row for row in FAILURES if re.search(row.pattern, text, re.IGNORECASE)), None)
    said = last_line(text) or f"it ended with code {done.code} and said nothing"
    detail = f"{done.argv}\n{text}"
    if failure is None:
        return MultipassError(
            what, why=f"Multipass says: {said}", fix="Run the command again; if it stays so, `lab doctor`.", detail=detail
        )
    values = {"name": name, "restart": system.restart, "said": said}
    fix = failure.fix if isinstance(failure.fix, str) else failure.fix[system.name]
    kind = MultipassUnreachable if failure.unreachable else MultipassError
    error = kind(what, why=failure.why.format(**values), fix=fix.format(**values), detail=detail)
    error.kind = failure.kind
    return error


def last_line(text: str) -> str:
    """The last line that says something, without control characters, at most 300 characters."""
    lines = [clean for line in text.splitlines() if (clean := re.sub(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x1f\x7f]", "", line).strip())]
    return lines[-1][:300] if lines else ""
